"""HTTP/1 on one connection: which request is read and which response is written, and whether the connection goes on.

The states and their transitions::

    IDLE           some of a head came -> IN_HEAD; a head is whole -> IN_EXCHANGE; the client or the server ends -> CLOSING
    IN_HEAD        the head is whole -> IN_EXCHANGE; it is refused, or overdue -> LAST_RESPONSE
    IN_EXCHANGE    request and response are whole -> IDLE; the response was the last one, or failed -> LAST_RESPONSE, or
                   CLOSING where nothing unread could turn the close into a reset; switched -> CLOSED
    LAST_RESPONSE  the response has left -> LINGERING
    LINGERING      the client closes, or has had LINGER_SECONDS -> CLOSING
    CLOSING        the transport has closed -> CLOSED

Requests are served one after the other: what came behind the current one waits as bytes. Every response to a client's
mistake leaves through :meth:`Http1Protocol.refuse`.
"""

cimport cython

from atlas._speedups.buffers.byte_buffers cimport ReceiveBuffer, receive_append, receive_clear, receive_consume
from atlas._speedups.buffers.connection cimport READING_ENDED, READING_PAUSED, Connection, Protocol
from atlas._speedups.buffers.socket_writer cimport WRITER_BLOCKED
from atlas._speedups.http.counters cimport TIMEOUT_BODY, TIMEOUT_HEAD, TIMEOUT_KEEP_ALIVE
from atlas._speedups.http.exchange cimport HEAD_HELD, NO_RESPONSE, RESPONSE_DONE, Exchange, Gateway
from atlas._speedups.http.request_body cimport BODY_COMING, BODY_LOST
from atlas._speedups.http.request_head cimport ASTERISK_FORM
from atlas._speedups.http.server_state cimport ServerState
from atlas._speedups.http1.framing cimport UNTIL_CLOSE
from atlas._speedups.http1.request_parser cimport (
    MESSAGE_PARSED, READING_CHUNKS, READING_HEAD, RequestParser, borrow_parser, return_parser
)
from atlas._speedups.http1.stream cimport (
    Http1ProtocolBase, Http1Stream, answer_by_server, borrow_stream, return_stream, write_refusal
)

from atlas.errors import ProtocolError

cdef enum:
    READ_AHEAD = 65536      # bytes that may wait behind the current request before reading pauses
    BODY_AHEAD = 65536      # bytes of a body that may wait for the application before reading pauses
    DISCARD = 65536         # bytes of an unwanted body that are read to keep the connection
    LINGER_SECONDS = 2      # that a client has to close after a response that it must be able to read
    TURN = 16               # requests of one connection that are served before others have their turn


@cython.final
cdef class Http1Protocol(Http1ProtocolBase):
    """The requests and responses of one connection.

    :param server_state: of the event loop. :param gateway: calls the application.
    """

    def __cinit__(self, ServerState server_state not None, Gateway gateway not None):
        self.server_state = server_state
        self.gateway = gateway

    def __dealloc__(self):
        receive_clear(&self.received)

    # What the connection calls.

    cdef int start(self) except -1:
        self.behind_proxy = self.server_state.is_trusted_proxy(self.connection.client)
        return self.connection.set_timeout(self.server_state.timeout_head)

    cdef int feed(self, char* data, Py_ssize_t size) except -1:
        if self.state >= LAST_RESPONSE:
            return 0
        if self.received.data is NULL and not self.advancing:
            return self.advance(data, size)
        receive_append(&self.received, data, size)
        return 0 if self.resuming or self.advancing else self.advance(NULL, 0)

    cdef int feed_eof(self) except -1:
        """The client will send nothing more. It may still read: what it asked is answered."""
        cdef Exchange exchange = self.exchange
        if exchange is not None:
            # A body that stays incomplete, or a client that is gone: either way the application is told.
            exchange.get_body().lose()
            if exchange.response_state >= RESPONSE_DONE:
                return self.close()  # only the rest of its body was still awaited
            return self.gateway.half_close(exchange)
        return 0 if self.state == CLOSING or self.has_waiting() else self.close()

    cdef int eof_waits(self) except -1:
        """As feed_eof, where the request is whole: what waits unread comes behind it."""
        cdef Exchange exchange = self.exchange
        if exchange is not None and exchange.response_state < RESPONSE_DONE and exchange.body_state() != BODY_COMING:
            if self.connection.tls:
                return self.connection.writer.abort()  # a transport with TLS would close for the end, if it read on
            if not exchange.get_body().half_closed:
                exchange.body.lose()
                return self.gateway.half_close(exchange)
        return 0

    cdef int end_turn(self) except -1:
        """What was gathered leaves; reading is set to what there is room for."""
        if self.connection.writer.out is not None:
            self.connection.writer.flush()
        if self.connection.is_lost():
            return 0
        if self.state < LAST_RESPONSE:
            if self.exchange is None and not self.has_waiting() and (
                self.connection.reading == READING_ENDED or (self.state == IDLE and self.server_state.closes_idle())
            ):
                return self.close()
            return self.update_reading()
        if self.state == LAST_RESPONSE:
            return self.linger()
        return self.connection.close() if self.state == CLOSING else 0

    cdef int writable(self) except -1:
        return self.resume_soon() if self.exchange is None and self.received.data is not NULL else 0

    cdef int check_timeout(self, double now) except -1:
        """WIRE.md, Limits and time-outs."""
        cdef Exchange exchange = self.exchange
        if self.state == IN_HEAD:
            self.server_state.add_timeout(TIMEOUT_HEAD)
            error = ProtocolError(408, "the request's head did not come in time", "--timeout-request-head")
            return self.refuse(error, self.received.data + self.received.start)
        if self.state != IN_EXCHANGE:
            if self.has_waiting():
                return 0
            if self.state == IDLE:
                self.server_state.add_timeout(TIMEOUT_KEEP_ALIVE if self.reused else TIMEOUT_HEAD)
            return self.close() if self.state != CLOSING else self.connection.writer.abort()
        if exchange.response_state >= RESPONSE_DONE:
            self.server_state.add_timeout(TIMEOUT_BODY)
            return self.close()  # the rest of its body doesn't come
        self.connection.deadline = 0
        if exchange.body_state() == BODY_COMING and exchange.body is not None and exchange.body.waiters is not None:
            self.server_state.add_timeout(TIMEOUT_BODY)
            self.server_state.events.on_body_overdue(self.connection.client)
            exchange.body.lose()
        return 0

    cdef double idle_since(self) noexcept:
        """Since when does the connection wait for a request, or for the rest of a head? -1: it does not."""
        if self.state > IN_HEAD or self.has_waiting():
            return -1
        if self.state == IDLE and self.reused:
            return self.connection.deadline - self.server_state.timeout_keep_alive
        return self.connection.deadline - self.server_state.timeout_head

    cdef int shut_down(self) except -1:
        if self.state != IDLE or self.has_waiting() or self.connection.has_unread():
            return self.drain()  # what has reached the socket is answered as well
        return self.close()

    cdef int end_now(self) except -1:
        if self.exchange is None or self.connection.writer.state == WRITER_BLOCKED:
            return self.connection.writer.abort()  # what is left of a response isn't taken by the client
        return self.exchange.end_for_shutdown()

    cdef int lost(self) except -1:
        self.state = CLOSED
        self.drop_exchange()
        self.drop_parser()
        receive_clear(&self.received)
        self.connection = None
        return 0

    # Reading.

    cdef int advance(self, char* data, Py_ssize_t size) except -1:
        """Parse ``data`` (NULL: what was received before) as far as the connection can go now.

        The loop's read buffer isn't this connection's alone: what is left of it is kept aside before an application runs.
        """
        cdef char* at = data
        cdef Py_ssize_t waiting
        cdef Py_ssize_t taken
        cdef int begun = 0
        self.advancing = True
        try:
            while self.state < LAST_RESPONSE and not self.connection.is_lost():
                if data is NULL:
                    at, waiting = self.received.data + self.received.start, self.received.end - self.received.start
                else:
                    at, waiting = data, size
                if waiting == 0:
                    break
                if begun == TURN and self.exchange is None:
                    self.resume_soon()
                    break
                taken = self.parse(at, waiting)
                if taken == 0:
                    break
                if data is NULL:
                    receive_consume(&self.received, taken)
                else:
                    data, size = data + taken, size - taken
                if self.exchange is None and self.parser is not None and self.parser.head is not None:
                    if data is not NULL and size:
                        receive_append(&self.received, data, size)
                    data = NULL
                    begun += 1
                    self.begin()
        except ProtocolError as error:
            self.refuse(error, at)
        finally:
            self.advancing = False
        if data is not NULL and size and self.state < LAST_RESPONSE:
            receive_append(&self.received, data, size)
        return 0

    cdef Py_ssize_t parse(self, char* data, Py_ssize_t size) except -1:
        """Parse what comes next; returns how many bytes that was, 0 if nothing can be parsed now."""
        if self.exchange is None:
            # A client that doesn't read its responses gets no more of them.
            return self.parse_head(data, size) if self.connection.writer.is_writable() else 0
        if self.parser is not None and self.parser.state != MESSAGE_PARSED:
            return self.parse_body(data, size)
        return 0

    cdef Py_ssize_t parse_head(self, char* data, Py_ssize_t size) except -1:
        """Parse a head, and what has come of its body; 0 if the head isn't whole."""
        cdef Py_ssize_t taken
        if self.parser is None:
            self.parser = borrow_parser(self.server_state)
        taken = self.parser.feed(data, size)
        if taken == 0:
            if self.state == IDLE:
                self.state = IN_HEAD
                self.connection.set_timeout(self.server_state.timeout_head)
            return 0
        if self.parser.head is not None and self.parser.state != MESSAGE_PARSED and taken < size:
            taken += self.parser.feed(data + taken, size - taken)
        return taken

    cdef Py_ssize_t parse_body(self, char* data, Py_ssize_t size) except -1:
        """Parse more of the current request's body: for the application, or, if it is done, to be discarded."""
        cdef RequestParser parser = self.parser
        cdef Py_ssize_t taken = parser.feed(data, size)
        if self.exchange.response_state >= RESPONSE_DONE:
            parser.discarded += taken
            parser.take_pieces()
            self.end_request()
        else:
            self.stream.continue_due = False
            self.exchange.get_body().add(parser.take_pieces(), taken, parser.state == MESSAGE_PARSED)
            self.stream.expect_body(taken)
        return taken

    cdef bint has_waiting(self) noexcept:
        """Do requests wait for their turn, or for room to be answered? (Less than a head doesn't.)"""
        return self.state == IDLE and self.received.data is not NULL

    cdef int update_reading(self) except -1:
        """Pause reading while more waits than is good for memory; else read on."""
        cdef bint pause = self.received.end - self.received.start >= READ_AHEAD and (
            self.exchange is not None or self.resuming or not self.connection.writer.is_writable()
        )
        if pause or (self.exchange is not None and self.exchange.body_waiting() >= BODY_AHEAD):
            return self.connection.pause_reading()
        return self.connection.resume_reading() if self.connection.reading == READING_PAUSED else 0

    cdef int resume_soon(self) except -1:
        """Go on with what was received in the next turn of the loop, so that others have theirs."""
        if not self.resuming:
            self.resuming = True
            self.server_state.loop.call_soon(self.resume)
        return 0

    def resume(self):
        """Go on with what was received."""
        cdef Connection connection = self.connection
        self.resuming = False
        if self.state >= LAST_RESPONSE or connection.is_lost():
            return
        connection.writer.in_turn = True
        try:
            self.advance(NULL, 0)
        except Exception as error:
            connection.writer.connections.fail(connection, error)
        finally:
            connection.writer.in_turn = False
            connection.end_turn()

    # An exchange's beginning and end.

    cdef int begin(self) except -1:
        """A request's head is parsed: hand the request to the gateway."""
        cdef RequestParser parser = self.parser
        cdef Http1Stream stream = borrow_stream(self)
        cdef Exchange exchange = Exchange.__new__(Exchange)
        cdef bint complete = parser.state == MESSAGE_PARSED
        cdef Py_ssize_t size
        exchange.init(self.server_state, self.gateway, stream, parser.head)
        self.stream = stream
        self.exchange = exchange
        self.state = IN_EXCHANGE
        self.server_state.add_active(1)
        if self.behind_proxy and parser.head.forwarded:
            exchange.read_forwarded()
        if parser.head.has_body:
            size = parser.piece_bytes
            exchange.get_body().add(parser.take_pieces(), size, complete)
            stream.continue_due = parser.head.expects_continue and exchange.body.pieces is None and not complete
        self.connection.deadline = 0
        if complete:
            self.drop_parser()
        else:
            stream.expect_body(0)
        if self.connection.reading == READING_ENDED:
            exchange.get_body().lose()
        if parser.line.form == ASTERISK_FORM or self.server_state.limit_concurrency:
            if answer_by_server(exchange, self.server_state):
                return 0
        self.server_state.begin_request()
        self.gateway.start(exchange)
        if self.exchange is exchange and self.connection.reading == READING_ENDED:
            self.gateway.half_close(exchange)
        return 0

    cdef int end_request(self) except -1:
        """The response is whole. Discard the rest of the request, close, or go on."""
        if self.stream.close_after or (self.parser is not None and self.parser.discarded > DISCARD):
            return self.send_last() if self.has_unread() else self.close()
        if self.parser is not None and self.parser.state != MESSAGE_PARSED:  # for all of the rest: it may come in drips
            return 0 if self.parser.discarded else self.connection.set_timeout(self.server_state.timeout_body)
        return self.end_exchange()

    cdef int end_exchange(self) except -1:
        """Be ready for the next request."""
        self.drop_exchange()
        self.drop_parser()
        self.state = IDLE
        self.reused = True
        if self.server_state.closes_idle() and not self.has_waiting():
            return self.send_last() if self.has_unread() else self.close()
        return self.connection.set_timeout(self.server_state.timeout_keep_alive)

    # Whether the connection goes on.

    cdef bint is_reusable(self) noexcept:
        """May the connection carry another request after this response? Asked when its head is written."""
        cdef Exchange exchange = self.exchange
        if self.server_state.is_stopping() or not exchange.head.keep_alive or exchange.body_state() == BODY_LOST:
            return False
        if self.server_state.timeout_keep_alive <= 0 or self.server_state.connections.crowded:
            return False
        if self.connection.reading == READING_ENDED and self.received.data is NULL:
            return False
        return exchange.body_state() != BODY_COMING or self.discards_rest()

    cdef bint discards_rest(self) noexcept:
        """The application hasn't received the whole body. Is what is left little enough to be read and discarded?

        A client that waits for 100 Continue and didn't get it may send the body, or not: its connection isn't reused.
        """
        if self.stream.continue_due or self.parser is None:
            return False
        return self.parser.state == READING_CHUNKS or self.parser.left <= DISCARD

    cdef bint has_unread(self) except -1:
        """Has something come, or is something known to come, that will not be read? Then closing would reset.

        RFC 9112, section 9.6.
        """
        if self.connection.reading == READING_ENDED:
            return False
        if self.parser is not None or self.received.data is not NULL:
            return True
        return self.connection.reading == READING_PAUSED or self.connection.has_unread()

    # What the stream asks for.

    cdef int response_done(self) except -1:
        if self.exchange is None:
            return 0
        self.end_request()
        if not self.connection.writer.in_turn:
            if self.state == IDLE and self.received.data is not NULL:
                self.resume_soon()
            self.end_turn()
        return 0

    cdef int response_failed(self) except -1:
        """The client must be able to tell that the response isn't whole."""
        if self.exchange is None or self.state == CLOSED:
            return 0
        if self.stream.framing == UNTIL_CLOSE:
            return self.connection.writer.abort()
        return self.send_last() if self.has_unread() else self.close()

    cdef int want_body(self) except -1:
        if self.stream.continue_due and self.exchange.response_state <= HEAD_HELD:
            self.stream.continue_due = False
            self.stream.send_interim(100, [])
            self.connection.deadline = 0
        self.body_taken(0)
        return self.stream.expect_body(0) if self.exchange.body_state() == BODY_COMING else 0

    cdef int body_taken(self, Py_ssize_t size) except -1:
        if self.connection.reading != READING_PAUSED:
            return 0
        self.connection.deadline = 0  # the client could not send
        return 0 if self.connection.writer.in_turn else self.update_reading()

    cdef int switch_to(self, Protocol protocol) except -1:
        """Let another protocol take the connection over, with what came behind the request (RFC 9110, section 7.8).

        The 101 has been sent by the stream's ``send_interim``. The exchange is over, this protocol too.
        """
        cdef Connection connection = self.connection
        cdef ReceiveBuffer rest = self.received
        self.received.data = NULL
        self.received.start = self.received.end = self.received.capacity = 0
        if self.exchange is not None:
            self.exchange.switch_protocols()
        self.lost()
        try:
            return connection.set_protocol(protocol, rest.data + rest.start, rest.end - rest.start)
        finally:
            receive_clear(&rest)

    # The end of the connection.

    cdef int refuse(self, object error, char* data) except -1:
        """Respond to a client's mistake, if a response can still be told from another, and close.

        ``data`` is where the head begins, if the head is what is wrong.
        """
        cdef Exchange exchange = self.exchange
        cdef tuple line = ("-", b"-")
        self.server_state.events.on_request_refused(error, self.connection.client)
        if exchange is not None:
            line = (exchange.head.method, exchange.head.target)
            if exchange.response_state == HEAD_HELD:
                exchange.drop_head()
            if exchange.response_state >= RESPONSE_DONE:
                return self.send_last()  # the response has left, perhaps just now
            if exchange.response_state != NO_RESPONSE:
                self.drop_exchange()
                return self.close()
        elif self.parser is not None:
            line = self.parser.request_line(data)
        if self.parser is not None:
            self.parser.state = READING_HEAD  # it stopped in the middle of a message: it can't be pooled
        self.drop_exchange()
        write_refusal(self.connection, self.server_state, error, line)
        return self.send_last()

    cdef int send_last(self) except -1:
        """Close so that the client can read the response: a socket that is closed with unread bytes in it is reset.

        RFC 9112, section 9.6.
        """
        self.drop_exchange()
        self.drop_parser()
        receive_clear(&self.received)
        self.state = LAST_RESPONSE
        self.connection.set_timeout(LINGER_SECONDS)
        if self.connection.is_lost() or self.connection.reading == READING_ENDED or not self.connection.can_write_eof():
            return self.close()
        self.connection.resume_reading()
        self.connection.writer.flush()
        return self.linger()

    cdef int linger(self) except -1:
        """The response has left: tell the client that nothing follows."""
        if self.connection.writer.is_empty() and not self.connection.is_lost():
            self.state = LINGERING
            self.connection.set_timeout(LINGER_SECONDS)
            self.connection.write_eof()
        return 0

    cdef int close(self) except -1:
        """Read nothing more; close when what is gathered has left."""
        if self.state == CLOSED or self.connection is None:
            return 0
        self.state = CLOSING
        self.connection.set_timeout(self.server_state.connections.write_timeout)
        self.drop_exchange()
        self.drop_parser()
        receive_clear(&self.received)
        return self.connection.close()

    cdef int drop_exchange(self) except -1:
        """Let go of the current exchange, and tell the application if it isn't done with it."""
        cdef Exchange exchange = self.exchange
        self.exchange = None
        if exchange is not None:
            self.server_state.add_active(-1)
            if exchange.response_state < RESPONSE_DONE:
                self.gateway.disconnect(exchange)
            exchange.release()
            return_stream(self.stream)
            self.stream = None
            self.connection.writer.wake()
        return 0

    cdef int drop_parser(self) except -1:
        """The message is over, or nothing more of it is read."""
        cdef RequestParser parser = self.parser
        self.parser = None
        return return_parser(self.server_state, parser) if parser is not None else 0
