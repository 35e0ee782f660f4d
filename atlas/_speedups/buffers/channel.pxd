"""The sending side of a connection."""

from atlas._speedups.http.server_state cimport ServerState
from atlas._speedups.buffers.write_buffer cimport WriteBuffer


cdef class Channel:
    # Where the bytes go: the transport, and the socket beneath it where it is plain (else -1).
    cdef ServerState worker
    cdef object transport
    cdef int fd

    # What is gathered; from ``held`` on it isn't to leave yet (-1: all of it may).
    cdef WriteBuffer out
    cdef Py_ssize_t held

    # The state of sending. ``blocked``: the transport holds bytes that the socket didn't take.
    cdef bint blocked
    cdef Py_ssize_t handed_over # bytes that it was given when it was last blocked
    cdef bint lost              # nothing can be sent any more
    cdef bint in_turn           # the connection is at work on what came, and flushes when it is done
    cdef bint queued            # the worker will flush when the turn ends
    cdef list waiters           # futures of those who wait for the gate to open
    cdef double write_deadline  # of the current blockade
    cdef Py_ssize_t write_left  # what the transport held when the sweeper last looked

    # Writing.
    cdef WriteBuffer buffer(self)
    cdef int written(self, bint complete) except -1
    cdef int write_piece(self, bytes piece) except -1
    cdef int flush(self) except -1
    cdef int transmit(self, const char* data, Py_ssize_t size, bytes piece) except -1
    cdef int hand_over(self, const char* data, Py_ssize_t size, bytes piece, Py_ssize_t sent) except -1
    cdef void release(self) noexcept

    # The gate.
    cdef bint is_full(self) noexcept
    cdef object writable(self)
    cdef int forget_waiter(self, object future) except -1
    cdef int open_gate(self) except -1
    cdef int check_blockade(self, double now) except -1
