"""One socket, from accept to close: the asyncio (buffered) protocol of a transport, and what is spoken on it.

All methods are called on the event loop's thread. A turn is one call of the transport until ``end_turn``.
"""

from atlas._speedups.buffers.byte_buffers cimport flag
from atlas._speedups.buffers.socket_writer cimport SocketWriter

cdef enum ReadingState:
    READING             # the transport delivers what comes
    READING_PAUSED      # the protocol has enough for now
    READING_ENDED       # the peer has sent all that it will send


cdef class Protocol:
    # The connection that it is spoken on; None when that is over.
    cdef Connection connection

    # What the connection calls, in the order of its life. Each has a default (see the class); a protocol overrides what
    # it needs. tests/compiled/echo.pyx is the smallest one.
    cdef int start(self) except -1          # ``connection`` is set, its transport is there
    cdef int feed(self, char* data, Py_ssize_t size) except -1  # bytes came; ``data`` is borrowed: keep a copy of the rest
    cdef int feed_eof(self) except -1       # the peer sends nothing more; it may still read
    cdef int eof_waits(self) except -1      # the same, behind bytes that wait while reading is paused
    cdef int end_turn(self) except -1       # after feed(), and when the loop's iteration ends: send what was gathered
    cdef int writable(self) except -1       # all that the transport held has left
    cdef int check_timeout(self, double now) except -1  # the deadline of set_timeout() has passed
    cdef double idle_since(self) noexcept   # since when is nothing begun? -1: something is
    cdef int drop(self) except -1           # nothing is begun, and the place is needed: close
    cdef int drain(self) except -1          # the server is about to stop: what has no end of its own ends
    cdef int shut_down(self) except -1      # the server stops: finish what is begun, begin nothing
    cdef int end_now(self) except -1        # the graceful time-out has passed: give up what is begun
    cdef int lost(self) except -1           # the transport is closed; the last call


cdef class Connection:
    # The socket: what is sent, and how it is read. The writer has the transport, and the ConnectionSet.
    cdef readonly SocketWriter writer
    cdef ReadingState reading
    cdef flag counted                   # in the number of open connections

    # The addresses of both ends, and whether the connection is encrypted: here; here or by the proxy; what a proxy says.
    cdef flag tls
    cdef flag secure
    cdef flag proxied
    cdef readonly object client         # (host, port), or None
    cdef readonly object server         # (host, port), (path, None), or None

    # What makes the protocol of a new connection; the protocol that is spoken now.
    cdef object new_protocol
    cdef Protocol protocol

    # When check_timeout() is to be called; 0: never.
    cdef double deadline

    # What a protocol calls. set_protocol() starts another protocol and feeds it the rest of what came; it may be called
    # within feed(), and the new protocol ends the turn. set_timeout() replaces the deadline; server/timeout_timer looks.
    cdef int set_protocol(self, Protocol protocol, char* rest, Py_ssize_t size) except -1
    cdef int set_timeout(self, double seconds) except -1
    cdef int pause_reading(self) except -1
    cdef int resume_reading(self) except -1
    cdef bint can_write_eof(self) except -1
    cdef int write_eof(self) except -1
    cdef object tls_object(self)        # the ssl.SSLObject; None without TLS, or once the transport is closed
    cdef int close(self) except -1
    cdef bint is_lost(self) noexcept
    cdef bint has_unread(self) except -1
