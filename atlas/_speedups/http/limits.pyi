class Limits:
    def __init__(
        self,
        *,
        request_line: int = 8192,
        head: int = 65536,
        fields: int = 128,
        field: int = 16384,
        body: int = 104857600,
    ) -> None: ...
    @property
    def request_line(self) -> int: ...
    @property
    def head(self) -> int: ...
    @property
    def fields(self) -> int: ...
    @property
    def field(self) -> int: ...
    @property
    def body(self) -> int: ...
