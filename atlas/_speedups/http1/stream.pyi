from typing import final

from atlas._speedups.buffers.connection import Protocol
from atlas._speedups.http.response_stream import ResponseStream

class Http1ProtocolBase(Protocol): ...

@final
class Http1Stream(ResponseStream): ...
