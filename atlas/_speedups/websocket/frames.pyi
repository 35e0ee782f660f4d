from typing import final

from atlas._speedups.websocket.deflate import PerMessageDeflate

@final
class MessageReader:
    def __init__(self, max_size: int, deflate: PerMessageDeflate | None = None) -> None: ...
