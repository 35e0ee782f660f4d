from typing import final

@final
class Handshake:
    @property
    def subprotocols(self) -> list[str]: ...
    @property
    def extensions(self) -> list[tuple[str, list[tuple[str, str | None]]]]: ...
