"""One socket, from accept to close: the asyncio protocol that a transport and the server call.

The connection knows transport, addresses, TLS, backpressure and one deadline. What the bytes mean is the business of its
:class:`Protocol`, which can be exchanged at any time (by ALPN when the connection is made, by an upgrade later).

The event loop writes into one read buffer that all connections of the loop share, and hands it over in the same step: an
idle connection holds no memory for reading.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.string cimport memcpy

from atlas._speedups.buffers.connection_set cimport READ_SIZE, ConnectionSet, monotonic
from atlas._speedups.buffers.socket_io cimport atlas_socket_ended, atlas_socket_hung_up, atlas_socket_unread
from atlas._speedups.buffers.socket_writer cimport WRITER_BLOCKED, WRITER_LOST, SocketWriter


cdef class Protocol:
    """What is spoken on a connection. Base class; each method does nothing unless a protocol overrides it.

    The protocol reads through ``feed`` and writes by ``connection.writer``. It sets ``connection.deadline``.
    """

    cdef int start(self) except -1:
        """The connection is made, or was handed to this protocol."""
        return 0

    cdef int feed(self, char* data, Py_ssize_t size) except -1:
        """Bytes came. ``data`` is only good until this returns, and until code outside of the protocol runs."""
        return 0

    cdef int feed_eof(self) except -1:
        """The peer will send nothing more; it may still read."""
        return self.connection.close()

    cdef int eof_waits(self) except -1:
        """The peer will send nothing more, and has sent bytes that wait in the socket while reading is paused."""
        return 0

    cdef int end_turn(self) except -1:
        """A turn of reading or of the loop is over: what was gathered leaves now."""
        return self.connection.writer.flush()

    cdef int writable(self) except -1:
        """All that the transport held has left. Not the place to close: asyncio's own loop doesn't survive that."""
        return 0

    cdef int check_timeout(self, double now) except -1:
        """``connection.deadline`` has passed."""
        return self.connection.close()

    cdef double idle_since(self) noexcept:
        """Since when is nothing begun, so that the place may be given to another connection? -1: something is."""
        return -1

    cdef int drop(self) except -1:
        """Nothing is begun, and the place is needed."""
        return self.connection.close()

    cdef int drain(self) except -1:
        """The server is about to stop, and still takes what is on its way: end what would have no end of its own."""
        return 0

    cdef int shut_down(self) except -1:
        """The server stops: close as soon as there is nothing left to do."""
        return self.connection.close()

    cdef int end_now(self) except -1:
        """The graceful time-out has passed."""
        self.connection.abort()
        return 0

    cdef int lost(self) except -1:
        """The connection is closed. Called once, last."""
        return 0


@cython.final
cdef class Connection:
    """The asyncio protocol of one socket.

    :param connections: the :class:`ConnectionSet` of the loop.
    :param new_protocol: called with the connection when it is made (after a TLS handshake); returns its
        :class:`Protocol`.

    A connection counts as open from its construction until it is closed, or dropped after a handshake that failed.
    """

    def __cinit__(self, ConnectionSet connections not None, new_protocol):
        self.new_protocol = new_protocol
        self.writer = SocketWriter.__new__(SocketWriter, connections)
        self.counted = True
        connections.opened()

    def __del__(self):
        self.handshake_failed()  # the transport drops the connection then, without a call

    # What the transport calls.

    def connection_made(self, transport):
        cdef ConnectionSet connections = self.writer.connections
        if not self.proxied:
            self.client = peer_address(transport, connections)
            self.server = connections.shared_address(local_address(transport))
        self.tls = transport.get_extra_info("ssl_object") is not None
        self.secure = self.secure or self.tls
        self.writer.attach(self, transport)
        connections.connections.add(self)
        self.set_protocol(<Protocol?>self.new_protocol(self), NULL, 0)
        if self.writer.connections.stopping and not self.writer.connections.draining:
            self.shut_down()

    def get_buffer(self, sizehint):
        return self.writer.connections.read_view

    def buffer_updated(self, Py_ssize_t size):
        if not 0 <= size <= READ_SIZE:
            raise ValueError(f"expected 0 to {READ_SIZE} bytes, got {size}")
        cdef Protocol protocol = self.protocol  # held: it may hand the connection over while it runs
        self.writer.in_turn = True
        self.writer.connections.traffic.received += size
        try:
            protocol.feed(self.writer.connections.read_data, size)
        finally:
            self.writer.in_turn = False
            self.end_turn()

    @property
    def data_received(self):
        """For loops that ask for a subclass of asyncio.BufferedProtocol before they use ``get_buffer``.

        It is there once the connection is made: uvloop, which has no use for it, would keep a bound method of each
        connection that has one before.
        """
        if self.writer.transport is None:
            raise AttributeError("data_received")
        return self.receive

    def receive(self, bytes data not None):
        """Read bytes that the loop has received into an object of its own."""
        cdef const char* start = PyBytes_AS_STRING(data)
        cdef Py_ssize_t size = PyBytes_GET_SIZE(data)
        cdef Py_ssize_t at = 0
        cdef Py_ssize_t piece
        while at < size and not self.is_lost():
            piece = min(size - at, <Py_ssize_t>READ_SIZE)
            memcpy(self.writer.connections.read_data, start + at, piece)
            self.buffer_updated(piece)
            at += piece

    def eof_received(self):
        """The peer will send nothing more. True: the transport stays open for what is still to be sent.

        A transport with TLS closes in any case, and warns in the log of a True.
        """
        cdef Protocol protocol = self.protocol
        self.reading = READING_ENDED
        protocol.feed_eof()
        return not self.tls

    def pause_writing(self):
        self.writer.pause_writing()

    def resume_writing(self):
        cdef Protocol protocol = self.protocol
        self.writer.resume_writing()
        if self.writer.state != WRITER_BLOCKED:
            protocol.writable()
        self.writer.flush_later()

    def connection_lost(self, error):
        self.writer.connections.connections.discard(self)
        if self.counted:
            self.counted = False
            self.writer.connections.closed()
        self.deadline = 0
        try:
            self.writer.release()
            if self.protocol is not None:
                self.protocol.lost()
        finally:
            self.protocol = None
            self.new_protocol = None

    # What the server calls.

    def use_proxied(self, object client, object server, bint secure):
        """Take over what a proxy in front of the server says of the connection; called before the connection is made.

        :param client: (host, port), or None. :param server: (host, port), (path, None), or None.
        :param secure: is the connection from the client to the proxy encrypted?
        """
        self.client, self.server, self.secure, self.proxied = client, server, secure, True

    def handshake_failed(self, bint timed_out=False):
        """The connection will never be made: it doesn't count as open any more."""
        if self.counted:
            self.counted = False
            self.writer.connections.traffic.unmade += 1
            self.writer.connections.traffic.overdue += timed_out
            self.writer.connections.closed()

    def end_turn(self):
        """The turn of the loop is over."""
        cdef Protocol protocol = self.protocol
        self.writer.queued = False
        if not self.is_lost():
            protocol.end_turn()

    def idle_since(self):
        """Since when is nothing begun, and nothing waits in the socket? By the clock of :class:`ConnectionSet`; or -1."""
        if self.is_lost() or not self.writer.is_empty() or self.has_unread():
            return -1.0
        return self.protocol.idle_since()

    def drop(self):
        """Close an idle connection, whose place is needed."""
        self.protocol.drop()

    def drain(self):
        """The server is about to stop: end what would have no end of its own."""
        if not self.is_lost():
            self.protocol.drain()

    def shut_down(self):
        """The server stops: close if there is nothing left to do."""
        if not self.is_lost():
            self.protocol.shut_down()

    def end_now(self):
        """The graceful time-out has passed: tell the application; a connection without one is closed."""
        if not self.is_lost():
            self.protocol.end_now()

    def check_timeout(self, double now):
        """Carry out the time-out that is due, if one is.

        :param now: seconds, by the clock of :class:`ConnectionSet`.
        """
        cdef Protocol protocol = self.protocol
        if self.is_lost():
            return
        if self.reading != READING and atlas_socket_hung_up(self.writer.socket_fd()):
            self.abort()  # the loop finds out where it reads, and only there
            return
        if self.reading == READING_PAUSED and atlas_socket_ended(self.writer.socket_fd()):
            protocol.eof_waits()
            if self.is_lost():
                return
        if self.writer.state == WRITER_BLOCKED:
            if self.writer.is_stalled(now):
                self.writer.connections.traffic.stalled += 1
                self.abort()
        elif self.deadline != 0 and now >= self.deadline:
            protocol.check_timeout(now)

    def abort(self):
        """Reset the connection."""
        self.writer.abort()

    # What a protocol calls.

    cdef int set_protocol(self, Protocol protocol, char* rest, Py_ssize_t size) except -1:
        """From now on ``protocol`` is spoken; it is fed the ``size`` bytes at ``rest`` that came already."""
        self.protocol = protocol
        protocol.connection = self
        protocol.start()
        return protocol.feed(rest, size) if size else 0

    cdef int set_timeout(self, double seconds) except -1:
        """Have ``protocol.check_timeout`` called in so many seconds, if nothing changes the deadline before."""
        self.deadline = monotonic() + seconds
        return 0

    cdef int pause_reading(self) except -1:
        if self.reading == READING:
            self.reading = READING_PAUSED
            self.writer.transport.pause_reading()
        return 0

    cdef int resume_reading(self) except -1:
        if self.reading == READING_PAUSED:
            self.reading = READING
            self.writer.transport.resume_reading()
        return 0

    cdef bint can_write_eof(self) except -1:
        """Can the sending direction alone be closed? (Not with TLS.)"""
        return self.writer.transport.can_write_eof()

    cdef int write_eof(self) except -1:
        """Tell the peer that nothing follows."""
        try:
            self.writer.transport.write_eof()
        except OSError:  # the socket is gone already; asyncio's own loop finds out only now
            self.writer.abort()
        return 0

    cdef object tls_object(self):
        return None if self.writer.transport is None else self.writer.transport.get_extra_info("ssl_object")

    cdef int close(self) except -1:
        """Close when all that was written has left: now, or when ``end_turn`` comes by again."""
        if self.is_lost():
            return 0
        self.writer.flush()
        if self.writer.state != WRITER_BLOCKED and not self.is_lost():
            self.writer.transport.close()
        return 0

    cdef bint is_lost(self) noexcept:
        """Can nothing be sent or received any more?"""
        return self.writer.state == WRITER_LOST or self.writer.transport is None

    cdef bint has_unread(self) except -1:
        """Are there unread bytes in the socket? Closing it would reset the connection."""
        return atlas_socket_unread(self.writer.socket_fd()) > 0


cdef object peer_address(object transport, ConnectionSet connections):
    """The peer's (host, port); None where it has no such address, as on a Unix socket (ASGI, ``client``)."""
    cdef object address = transport.get_extra_info("peername")
    if isinstance(address, (tuple, list)) and len(address) >= 2:
        return (connections.shared_host(str(address[0])), int(address[1]))
    return None


cdef object local_address(object transport):
    """The socket's own (host, port); (path, None) on a Unix socket; None where there is neither (ASGI, ``server``)."""
    cdef object address = transport.get_extra_info("sockname")
    if isinstance(address, (tuple, list)) and len(address) >= 2:
        return (str(address[0]), int(address[1]))
    if isinstance(address, str) and address:
        return (address, None)
    return None
