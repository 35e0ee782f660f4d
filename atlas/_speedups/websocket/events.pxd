"""The ASGI events of a WebSocket.

``scope``, ``receive`` and ``send``, which Python sees of it, are in the ``.pyi``.
"""

from atlas._speedups.buffers.byte_buffers cimport flag
from atlas._speedups.websocket.session cimport WebSocketSession


cdef class WebSocketEvents:
    cdef WebSocketSession session

    # What the application has been told.
    cdef flag told_connect
    cdef flag told_disconnect

    cdef dict disconnect_event(self)
    cdef int send_now(self, object event) except -1
    cdef int send_message(self, object event) except -1
