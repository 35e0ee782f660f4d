"""A WebSocket on a connection of its own."""

from atlas._speedups.buffers.connection cimport Protocol
from atlas._speedups.websocket.session cimport SessionStream, WebSocketSession

cdef enum Ending:
    NOT_ENDING
    TO_CLOSE            # what is written leaves, then the connection closes
    TO_LINGER           # the same, but the client may still send: it is told that nothing follows
    LINGERING           # it was told; what still comes is discarded


cdef class ConnectionStream(SessionStream):
    cdef WebSocketProtocol protocol


cdef class WebSocketProtocol(Protocol):
    cdef WebSocketSession session
    cdef Ending ending

    cdef int finish(self, bint unread) except -1
    cdef int go_on_ending(self) except -1
