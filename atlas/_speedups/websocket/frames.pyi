from typing import Self, final

from atlas._speedups.websocket.deflate import PerMessageDeflate

@final
class MessageReader:
    def __new__(cls, max_size: int, deflate: PerMessageDeflate | None = None) -> Self: ...
