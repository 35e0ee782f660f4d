"""The sending side of a connection: what is gathered leaves in one write; who writes too fast waits at a gate.

On a plain socket the bytes go out by send(2) straight from the buffer. What the socket doesn't take is handed to the
transport, whose limit is set to zero: it tells us the moment that it holds anything, and the moment that all of it is
gone. Meanwhile nothing goes past it.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE

from atlas._speedups.buffers.socket_io cimport atlas_socket_unsent, atlas_socket_write
from atlas._speedups.http.server_state cimport HIGH_WATER

cdef enum:
    # From this size on a piece is sent from where it is instead of being copied into the buffer.
    LARGE_PIECE = 16384


cdef class Channel:
    """Base of :class:`Connection`: gathers, writes and waits; knows no HTTP."""

    cdef WriteBuffer buffer(self):
        """Where to append what is to be sent."""
        if self.out is None:
            self.out = self.worker.borrow_buffer()
        return self.out

    cdef int written(self, bint complete) except -1:
        """Something was appended. Within a turn of ours it leaves at the end of it; a complete message leaves now."""
        if self.out is None:
            return 0  # it has left already, as a file or as a large piece
        if self.in_turn:
            if self.out.size > HIGH_WATER:
                self.flush()
        elif complete or self.out.size > HIGH_WATER:
            self.flush()
        elif not self.queued:
            self.queued = True
            self.worker.flush_soon(self)
        return 0

    cdef int write_piece(self, bytes piece) except -1:
        """Append a piece of a body, or, if it is large, send it with what was gathered before it."""
        cdef WriteBuffer out = self.buffer()
        cdef Py_ssize_t size = PyBytes_GET_SIZE(piece)
        if size < LARGE_PIECE or self.blocked:
            return out.append(PyBytes_AS_STRING(piece), size)
        self.transmit(out.data, out.size, piece)
        out.size = 0
        return 0

    cdef int flush(self) except -1:
        """Send what is gathered, up to a held head, unless the socket is known to take nothing."""
        cdef WriteBuffer out = self.out
        cdef Py_ssize_t size
        if out is None or self.blocked:
            return 0
        size = out.size if self.held < 0 else self.held
        if size:
            self.transmit(out.data, size, None)
            out.drop_front(size)
            if self.held > 0:
                self.held = 0
        if out.size == 0:
            self.out = None
            self.worker.give_buffer(out)
        return 0

    cdef int transmit(self, const char* data, Py_ssize_t size, bytes piece) except -1:
        """Send ``data`` and then ``piece`` (or None), whole: what the socket leaves goes to the transport."""
        cdef Py_ssize_t sent = 0
        cdef Py_ssize_t piece_size = 0
        cdef const char* piece_data = NULL
        if self.lost:
            return 0
        if piece is not None:
            piece_data = PyBytes_AS_STRING(piece)
            piece_size = PyBytes_GET_SIZE(piece)
        if self.fd >= 0:
            sent = atlas_socket_write(self.fd, data, size, piece_data, piece_size)
            if sent < 0:
                self.lost = True
                self.transport.abort()
                return 0
        if sent < size + piece_size:
            self.hand_over(data, size, piece, sent)
        return 0

    cdef int hand_over(self, const char* data, Py_ssize_t size, bytes piece, Py_ssize_t sent) except -1:
        self.handed_over = size - sent if piece is None else size - sent + PyBytes_GET_SIZE(piece)
        if sent < size:
            self.transport.write(PyBytes_FromStringAndSize(data + sent, size - sent))
            sent = 0
        else:
            sent -= size
        if piece is not None:
            self.transport.write(piece if sent == 0 else memoryview(piece)[sent:])
        return 0

    cdef void release(self) noexcept:
        """Nothing will be sent any more: give the memory back, wake who waits."""
        cdef WriteBuffer out = self.out
        self.lost = True
        self.out = None
        self.held = -1
        if out is not None:
            self.worker.give_buffer(out)

    # The gate.

    cdef bint is_full(self) noexcept:
        """Must who wants to send wait?"""
        if not self.blocked or self.lost:
            return False
        return self.handed_over + (self.out.size if self.out is not None else 0) >= HIGH_WATER

    cdef object writable(self):
        """A future that is done when the gate opens."""
        cdef object future = self.worker.loop.create_future()
        if self.waiters is None:
            self.waiters = [future]
        else:
            self.waiters.append(future)
        return future

    cdef int forget_waiter(self, object future) except -1:
        """Whoever waited doesn't any more."""
        if self.waiters is not None and future in self.waiters:
            self.waiters.remove(future)
        return 0

    cdef int open_gate(self) except -1:
        cdef list waiters = self.waiters
        self.waiters = None
        if waiters is not None:
            for future in waiters:
                if not future.done():
                    future.set_result(None)
        return 0

    def pause_writing(self):
        """The transport holds bytes that the socket didn't take."""
        self.blocked = True
        self.write_deadline = self.worker.now() + self.worker.timeout_write
        self.write_left = -1

    def resume_writing(self):
        """The transport holds nothing any more."""
        self.blocked = False
        self.flush()
        if not self.blocked:
            self.open_gate()

    cdef int check_blockade(self, double now) except -1:
        """--timeout-write: abort if nothing at all left since the blockade began, or since the last progress.

        What the kernel holds counts as well: a slow client empties that long before there is room for more.
        """
        cdef Py_ssize_t left = self.transport.get_write_buffer_size() + atlas_socket_unsent(self.fd)
        if left != self.write_left:
            self.write_left = left
            self.write_deadline = now + self.worker.timeout_write
        elif now >= self.write_deadline:
            self.lost = True
            self.transport.abort()
        return 0

    def flush_now(self):
        """The turn of the loop is over."""
        self.queued = False
        if not self.lost:
            self.flush()
