from typing import Self, final

@final
class FieldLine:
    def __new__(cls, name: str, value: str) -> Self: ...
    @property
    def pair(self) -> tuple[bytes, bytes]: ...

class ResponseStream:
    @property
    def keeps_heads(self) -> bool: ...
