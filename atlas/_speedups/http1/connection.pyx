"""The asyncio protocol of one socket: what a transport and the server call.

The loop writes into the worker's one read buffer and hands it over in the same step, so that an idle connection holds
no memory for reading; what can't be read yet is kept by the connection.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.string cimport memcpy

from atlas._speedups.buffers.addresses cimport local_address, peer_address
from atlas._speedups.http1.conversation cimport CLOSED, CLOSING, IDLE, IN_EXCHANGE, IN_HEAD, LINGERING, Conversation
from atlas._speedups.http.exchange cimport RESPONSE_DONE, Exchange
from atlas._speedups.http.incoming cimport BODY_COMING
from atlas._speedups.buffers.receive_buffer cimport drop
from atlas._speedups.http.server_state cimport READ_SIZE, ServerState

from atlas.errors import ProtocolError


@cython.final
cdef class Connection(Conversation):
    """One socket, from accept to close; made by the server's protocol factory.

    :param worker: the :class:`ServerState` of the loop that the socket belongs to.
    """

    def __cinit__(self, ServerState worker not None):
        worker.opened()

    # What the transport calls.

    def connection_made(self, transport):
        self.transport = transport
        self.client = peer_address(transport)
        self.server = self.worker.shared_address(local_address(transport))
        if transport.get_extra_info("sslcontext") is None:
            transport.set_write_buffer_limits(high=0)
            socket = transport.get_extra_info("socket")
            if socket is not None:
                self.fd = socket.fileno()
        else:
            self.scheme = "https"
        self.worker.connections.add(self)
        self.deadline = self.worker.now() + self.worker.timeout_head
        if self.worker.stopping:
            self.close()

    def get_buffer(self, sizehint):
        return self.worker.read_view

    def buffer_updated(self, Py_ssize_t size):
        self.in_turn = True
        try:
            self.take(self.worker.read_data, size)
        finally:
            self.in_turn = False
            self.settle()

    def data_received(self, bytes data not None):
        """For loops that ask for a subclass of asyncio.BufferedProtocol before they use ``get_buffer``."""
        cdef const char* start = PyBytes_AS_STRING(data)
        cdef Py_ssize_t size = PyBytes_GET_SIZE(data)
        cdef Py_ssize_t at = 0
        cdef Py_ssize_t piece
        while at < size and not self.lost:
            piece = min(size - at, <Py_ssize_t>READ_SIZE)
            memcpy(self.worker.read_data, start + at, piece)
            self.buffer_updated(piece)
            at += piece

    def eof_received(self):
        """The client will send nothing more. It may still be listening: what it asked is answered."""
        self.ended = True
        if self.exchange is not None:
            # A body that stays incomplete, or a client that is gone: either way the application is told.
            self.exchange.body_lost()
            self.worker.gateway.half_close(self.exchange)
            if self.exchange is not None and self.exchange.response_state >= RESPONSE_DONE:
                self.close()  # only the rest of its body was still awaited
            return True
        if self.state != CLOSING and not self.has_waiting():
            self.close()
        return True

    def connection_lost(self, error):
        self.lost = True
        self.state = CLOSED
        self.fd = -1
        self.worker.connections.discard(self)
        self.drop_exchange()
        self.release()
        self.open_gate()
        self.return_reader()
        drop(&self.pending)
        self.transport = None
        self.worker.closed()

    def resume_writing(self):
        """The transport holds nothing any more."""
        self.blocked = False
        self.flush()
        if not self.blocked:
            self.open_gate()
            if self.exchange is None and self.has_waiting():
                self.resume_soon()
        # Not here: asyncio's own loop doesn't survive being closed in this call.
        if not self.queued:
            self.queued = True
            self.worker.flush_soon(self)

    # What the server calls.

    def say_goodbye(self):
        """The server stops: close if there is nothing to be done."""
        if (self.state == IDLE and not self.has_waiting()) or self.state == LINGERING:
            self.close()

    def end_for_shutdown(self):
        """The server's grace is over: tell the application, so that it may end by itself."""
        if self.exchange is None:
            self.abort()
        else:
            self.exchange.end_for_shutdown()

    def check_deadline(self, double now):
        """Carry out the time-out that is due, if one is; see WIRE: limits and time-outs."""
        if self.lost:
            return
        if self.blocked:
            self.check_blockade(now)
            return
        if self.deadline == 0 or now < self.deadline:
            return
        if self.state == IN_HEAD:
            self.refuse(ProtocolError(408, "the request's head did not come in time", "--timeout-request-head"))
        elif self.state == IN_EXCHANGE:
            self.body_overdue()
        elif self.state != CLOSING:
            self.close()

    def body_overdue(self):
        """Nothing of the body came for too long: if somebody waits for it, the client counts as gone."""
        cdef Exchange exchange = self.exchange
        if exchange is None or exchange.request_state != BODY_COMING:
            self.deadline = 0
        elif exchange.response_state >= RESPONSE_DONE:
            self.close()
        elif exchange.receivers is not None:
            self.deadline = 0
            exchange.body_lost()
