"""One socket, from accept to close, and the protocol that it carries."""

from atlas._speedups.buffers.connection_set cimport ConnectionSet
from atlas._speedups.buffers.socket_writer cimport SocketWriter

cdef enum ReadingState:
    READING             # the transport delivers what comes
    READING_PAUSED      # the protocol has enough for now
    READING_ENDED       # the peer has sent all that it will send


cdef class Protocol:
    # The connection that it is spoken on; None when that is over.
    cdef Connection connection

    # What the connection calls. ``feed`` and ``end_turn`` belong together: every turn ends with the latter.
    cdef int start(self) except -1
    cdef int feed(self, char* data, Py_ssize_t size) except -1
    cdef int feed_eof(self) except -1
    cdef int end_turn(self) except -1
    cdef int writable(self) except -1
    cdef int check_timeout(self, double now) except -1
    cdef int shut_down(self) except -1
    cdef int end(self) except -1
    cdef int lost(self) except -1


cdef class Connection:
    # What all connections of the loop share; what makes the protocol of a new connection; the protocol that is spoken now.
    cdef readonly ConnectionSet connections
    cdef object new_protocol
    cdef Protocol protocol

    # The socket: the transport (None before the handshake and after the end), what is sent, how it is read.
    cdef object transport
    cdef readonly SocketWriter writer
    cdef ReadingState reading
    cdef bint counted

    # The addresses of both ends, and whether the connection is encrypted.
    cdef readonly object client         # (host, port), or None
    cdef readonly object server         # (host, port), (path, None), or None
    cdef readonly bint tls

    # When check_timeout() is to be called; 0: never.
    cdef double deadline

    # What a protocol calls.
    cdef int set_protocol(self, Protocol protocol) except -1
    cdef int set_timeout(self, double seconds) except -1
    cdef int pause_reading(self) except -1
    cdef int resume_reading(self) except -1
    cdef bint can_write_eof(self) except -1
    cdef int write_eof(self) except -1
    cdef int close(self) except -1
    cdef bint is_lost(self) noexcept
    cdef bint has_unread(self) noexcept
