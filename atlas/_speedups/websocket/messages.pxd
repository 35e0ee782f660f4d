"""The messages of a WebSocket, for an application that needs no events.

``receive``, ``send`` and what else Python sees of it is in the ``.pyi``.
"""

from atlas._speedups.websocket.session cimport WebSocketSession


cdef class WebSocketMessages:
    cdef WebSocketSession session

    cdef int accept_now(self) except -1
    cdef int send_now(self, object message) except -1


cdef class Iteration:
    cdef WebSocketMessages messages
