"""The sending side of a connection: what is gathered leaves in one write, and a caller that is too fast waits.

On a plain socket the bytes leave by send(2), straight from the buffer. What the socket doesn't take is handed to the
transport, whose write limit is zero: it reports the moment that it holds anything, and the moment that all of it has
left. Meanwhile nothing is sent past it.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE

from atlas._speedups.buffers.connection_set cimport HIGH_WATER, ConnectionSet
from atlas._speedups.buffers.socket_io cimport atlas_socket_unsent, atlas_socket_write

cdef enum:
    LARGE_PIECE = 16384     # from this size on a piece is sent from where it is instead of being copied


@cython.final
cdef class Backlog:
    """What a writer has to remember while something waits: for the socket, or for a slow peer."""


@cython.final
cdef class SocketWriter:
    """Gathers bytes, writes them and applies backpressure; knows nothing of what they mean.

    :param connections: the :class:`ConnectionSet` of the loop.
    """

    def __cinit__(self, ConnectionSet connections not None):
        self.connections = connections
        self.fd = -1

    cdef int attach(self, object connection, object transport) except -1:
        """Write to this transport from now on, on behalf of this connection."""
        cdef object sock
        self.connection = connection
        self.transport = transport
        if transport.get_extra_info("ssl_object") is None:
            transport.set_write_buffer_limits(high=0)
            sock = transport.get_extra_info("socket")
            if sock is not None:
                self.fd = sock.fileno()
        else:
            # A transport with TLS compares by ">=": with 0 it would pause while it holds nothing.
            transport.set_write_buffer_limits(high=1)
        return 0

    cdef WriteBuffer buffer(self):
        """The buffer to append to."""
        if self.out is None:
            self.out = self.connections.borrow_buffer()
        return self.out

    cdef int written(self, bint complete) except -1:
        """Something was appended. Within a turn of reading it leaves at its end; a complete message leaves now."""
        if self.out is None:
            return 0  # it has left already, as a file or as a large piece
        if self.in_turn:
            if self.out.size > HIGH_WATER:
                self.flush()
        elif complete or self.out.size > HIGH_WATER:
            self.flush()
        else:
            self.flush_later()
        return 0

    cdef int flush_later(self) except -1:
        """Have the connection end its turn when the turn of the loop ends."""
        if not self.queued:
            self.queued = True
            self.connections.flush_later(self.connection)
        return 0

    cdef int write_large(self, bytes data) except -1:
        """Append ``data``, or, if it is large, send it together with what was gathered before it."""
        cdef WriteBuffer out = self.buffer()
        cdef Py_ssize_t size = PyBytes_GET_SIZE(data)
        if size < LARGE_PIECE or self.state == WRITER_BLOCKED:
            return out.append(PyBytes_AS_STRING(data), size)
        self.transmit(out.data, out.size, data)
        out.size = 0
        return 0

    cdef int flush(self) except -1:
        """Send what is gathered, up to a held head, unless the socket is known to take nothing."""
        cdef WriteBuffer out = self.out
        cdef Py_ssize_t size
        if out is None or self.state == WRITER_BLOCKED:
            return 0
        size = out.size if out.held < 0 else out.held
        if size:
            self.transmit(out.data, size, None)
            out.consume(size)
        if out.size == 0:
            self.out = None
            self.connections.return_buffer(out)
        return 0

    cdef int transmit(self, const char* data, Py_ssize_t size, bytes piece) except -1:
        """Send ``data`` and then ``piece`` (or None), whole: what the socket leaves goes to the transport."""
        cdef Py_ssize_t sent = 0
        cdef Py_ssize_t piece_size = 0
        cdef const char* piece_data = NULL
        if self.state == WRITER_LOST:
            return 0
        if piece is not None:
            piece_data = PyBytes_AS_STRING(piece)
            piece_size = PyBytes_GET_SIZE(piece)
        self.connections.traffic.sent += size + piece_size
        if self.fd >= 0:
            sent = atlas_socket_write(self.fd, data, size, piece_data, piece_size)
            if sent < 0:
                self.abort()
                return 0
        if sent < size + piece_size:
            self.hand_over(data, size, piece, sent)
        return 0

    cdef int hand_over(self, const char* data, Py_ssize_t size, bytes piece, Py_ssize_t sent) except -1:
        cdef Py_ssize_t unsent = size - sent if piece is None else size - sent + PyBytes_GET_SIZE(piece)
        if sent < size:
            self.transport.write(PyBytes_FromStringAndSize(data + sent, size - sent))
            sent = 0
        else:
            sent -= size
        if piece is not None:
            self.transport.write(piece if sent == 0 else memoryview(piece)[sent:])
        if self.state == WRITER_BLOCKED:  # write() has called pause_writing()
            self.get_backlog().handed_over = unsent
        return 0

    cdef Backlog get_backlog(self):
        if self.backlog is None:
            self.backlog = Backlog.__new__(Backlog)
        return self.backlog

    cdef int release(self) except -1:
        """Nothing will be sent any more: return the memory, wake the callers that wait."""
        cdef WriteBuffer out = self.out
        self.state = WRITER_LOST
        self.fd = -1
        self.out = None
        self.transport = self.connection = None
        if out is not None:
            self.connections.return_buffer(out)
        return self.wake()

    # Backpressure.

    cdef bint is_empty(self) noexcept:
        """Has everything that was written left the process?"""
        return self.out is None and self.state != WRITER_BLOCKED

    cdef bint is_writable(self) noexcept:
        """May a caller send now? False: it waits for :meth:`wait_writable` first."""
        if self.state != WRITER_BLOCKED:
            return True
        return self.backlog.handed_over + (self.out.size if self.out is not None else 0) < HIGH_WATER

    cdef object wait_writable(self):
        """A future that is done when the writer is writable again, or lost."""
        cdef object future = self.connections.loop.create_future()
        self.add_waiter(future)
        return future

    cdef int add_waiter(self, object future) except -1:
        """Have ``future`` done when the writer is writable again, or lost."""
        cdef Backlog backlog = self.get_backlog()
        if backlog.waiters is None:
            backlog.waiters = [future]
        else:
            backlog.waiters.append(future)
        return 0

    cdef int cancel_wait(self, object future) except -1:
        """The caller doesn't wait any more."""
        cdef Backlog backlog = self.backlog
        if backlog is not None and backlog.waiters is not None and future in backlog.waiters:
            backlog.waiters.remove(future)
        return 0

    cdef int wake(self) except -1:
        """Let the callers that wait look again."""
        cdef list waiters
        if self.backlog is None:
            return 0
        waiters = self.backlog.waiters
        self.backlog.waiters = None
        if self.backlog.handed_over == 0 and self.state != WRITER_BLOCKED:
            self.backlog = None
        if waiters is not None:
            for future in waiters:
                if not future.done():
                    future.set_result(None)
        return 0

    cdef bint is_stalled(self, double now) except -1:
        """Has nothing left for ``write_timeout`` seconds? Asked while the transport is blocked.

        What the kernel holds counts as well: a slow peer empties that long before there is room for more. With TLS the
        transport doesn't count what is encrypted already.
        """
        cdef Backlog backlog = self.backlog
        cdef Py_ssize_t unsent = self.transport.get_write_buffer_size() + atlas_socket_unsent(self.socket_fd())
        if unsent != backlog.unsent:
            backlog.unsent = unsent
            backlog.deadline = now + self.connections.write_timeout
            return False
        self.stalled = now >= backlog.deadline
        return self.stalled

    cdef int socket_fd(self) except -2:
        """The socket's descriptor, to ask the kernel about it; -1 where there is none. With TLS, too."""
        cdef object sock
        if self.fd >= 0 or self.transport is None:
            return self.fd
        sock = self.transport.get_extra_info("socket")
        return sock.fileno() if sock is not None else -1

    # What the transport reports.

    cdef int pause_writing(self) except -1:
        """The transport holds bytes that the socket didn't take."""
        if self.state == WRITER_READY:
            self.state = WRITER_BLOCKED
        self.get_backlog().unsent = -1
        return 0

    cdef int resume_writing(self) except -1:
        """The transport holds nothing any more: send what was gathered meanwhile, wake the callers that wait."""
        if self.state == WRITER_BLOCKED:
            self.state = WRITER_READY
        if self.backlog is not None:
            self.backlog.handed_over = 0
        self.flush()
        if self.state != WRITER_BLOCKED:
            self.wake()
        return 0

    cdef int abort(self) except -1:
        """The socket is broken, or given up: reset the connection."""
        self.state = WRITER_LOST
        if self.transport is not None:
            self.transport.abort()
        return 0

    cdef str loss(self):
        """Why nothing can be sent any more, for the exception that a sender gets."""
        if self.stalled:
            return "the client did not read for too long (--timeout-write)"
        return "the client went away before the response was complete"
