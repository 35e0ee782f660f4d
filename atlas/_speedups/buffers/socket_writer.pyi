from typing import Self, final

from atlas._speedups.buffers.connection_set import ConnectionSet

@final
class Backlog: ...

@final
class SocketWriter:
    def __new__(cls, connections: ConnectionSet) -> Self: ...
