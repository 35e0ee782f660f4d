"""The sending side of a connection."""

from atlas._speedups.buffers.byte_buffers cimport WriteBuffer, flag
from atlas._speedups.buffers.connection_set cimport ConnectionSet

cdef enum WriterState:
    WRITER_READY        # the socket takes what it is given, as far as is known
    WRITER_BLOCKED      # the transport holds bytes that the socket didn't take
    WRITER_LOST         # nothing can be sent any more


cdef class Backlog:
    # Bytes that the transport was given when the socket didn't take them, and the callers (futures) that wait until the
    # writer is writable.
    cdef Py_ssize_t handed_over
    cdef list waiters

    # Progress of a blocked transport, for --timeout-write.
    cdef Py_ssize_t unsent
    cdef double deadline


cdef class SocketWriter:
    # Where the bytes go: the transport (None before the handshake and after the end), and the socket beneath it where it
    # is plain (else -1).
    cdef ConnectionSet connections
    cdef object transport
    cdef object connection          # its end_turn() is called when gathered bytes are to leave; None before and after
    cdef int fd

    # The state of sending; what is gathered (None: nothing); what waits for the socket or for a slow peer.
    cdef WriterState state
    cdef WriteBuffer out
    cdef Backlog backlog            # None while nothing waits: an idle connection holds no memory for it
    cdef flag in_turn               # the connection is at work on what came, and flushes when it is done
    cdef flag queued                # a flush is due when the turn of the loop ends
    cdef flag stalled               # the peer has read nothing for --timeout-write

    # Writing: append to buffer(), then call written(). ``complete``: the message is whole, nothing more is expected soon.
    cdef int attach(self, object connection, object transport) except -1
    cdef WriteBuffer buffer(self)
    cdef int written(self, bint complete) except -1
    cdef int flush_later(self) except -1
    cdef int write_large(self, bytes data) except -1
    cdef int flush(self) except -1
    cdef int transmit(self, const char* data, Py_ssize_t size, bytes piece) except -1
    cdef int hand_over(self, const char* data, Py_ssize_t size, bytes piece, Py_ssize_t sent) except -1
    cdef Backlog get_backlog(self)

    # Backpressure.
    cdef bint is_empty(self) noexcept
    cdef bint is_writable(self) noexcept
    cdef object wait_writable(self)
    cdef int add_waiter(self, object future) except -1
    cdef int cancel_wait(self, object future) except -1
    cdef int wake(self) except -1
    cdef bint is_stalled(self, double now) except -1
    cdef int socket_fd(self) except -2

    # What the transport reports.
    cdef int pause_writing(self) except -1
    cdef int resume_writing(self) except -1

    # The end: release() once the transport is closed, abort() to have it reset.
    cdef int release(self) except -1
    cdef int abort(self) except -1
    cdef str loss(self)
