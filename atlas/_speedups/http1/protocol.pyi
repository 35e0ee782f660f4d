from typing import Self, final

from atlas._speedups.http.exchange import Gateway
from atlas._speedups.http.server_state import ServerState
from atlas._speedups.http1.stream import Http1ProtocolBase

@final
class Http1Protocol(Http1ProtocolBase):
    def __new__(cls, server_state: ServerState, gateway: Gateway) -> Self: ...
    def resume(self) -> None: ...
