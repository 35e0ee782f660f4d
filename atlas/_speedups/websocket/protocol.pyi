from typing import Self, final

from atlas._speedups.buffers.connection import Protocol
from atlas._speedups.websocket.session import SessionStream, WebSocketSession

@final
class ConnectionStream(SessionStream): ...

@final
class WebSocketProtocol(Protocol):
    def __new__(cls, session: WebSocketSession) -> Self: ...
