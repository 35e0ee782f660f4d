from typing import Self, final

from atlas._speedups.buffers.connection import Protocol
from atlas._speedups.http.response_stream import ResponseStream

class Http1ProtocolBase(Protocol): ...

@final
class Http1Stream(ResponseStream):
    def __new__(cls, protocol: Http1ProtocolBase) -> Self: ...
