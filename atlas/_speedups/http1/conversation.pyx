"""The requests and answers of one socket: reads, starts exchanges, decides whether to go on or to close.

Requests are taken one after the other: while one is being worked on, what came behind it waits as bytes. Every answer to
a peer's mistake leaves by one door, ``refuse``.
"""

from atlas._speedups.http1.carrier cimport Carrier
from atlas._speedups.http.exchange cimport Exchange, HEAD_HELD, NO_RESPONSE, RESPONSE_DONE
from atlas._speedups.http1.framing cimport BY_LENGTH, UNTIL_CLOSE
from atlas._speedups.http.incoming cimport BODY_COMING, BODY_LOST
from atlas._speedups.buffers.receive_buffer cimport drop, keep, shift
from atlas._speedups.http1.refusal cimport write_refusal
from atlas._speedups.http1.request_parser cimport MESSAGE_READ, READING_HEAD, RequestParser
from atlas._speedups.buffers.socket_io cimport atlas_socket_unread
from atlas._speedups.http.server_state cimport ServerState

from atlas.errors import ProtocolError


cdef class Conversation(Carrier):
    """Base of :class:`Connection`: everything between the bytes of a socket and its exchanges."""

    def __cinit__(self, ServerState worker not None):
        self.worker = worker
        self.state = IDLE
        self.fd = -1
        self.held = -1
        self.scheme = "http"

    def __dealloc__(self):
        drop(&self.pending)

    # Reading.

    cdef int take(self, char* data, Py_ssize_t size) except -1:
        """Read what came, and keep what can't be read yet."""
        cdef Py_ssize_t taken
        if self.state >= LINGERING:
            return 0
        if self.pending.size:
            keep(&self.pending, data, size)
            if self.resuming:
                return 0
            shift(&self.pending, self.advance(self.pending.data, self.pending.size))
        else:
            taken = self.advance(data, size)
            if taken < size and self.state < LINGERING:
                keep(&self.pending, data + taken, size - taken)
        return 0

    cdef Py_ssize_t advance(self, char* data, Py_ssize_t size) except -1:
        """Read as far as the connection can go now; returns how many bytes are done with."""
        cdef Py_ssize_t at = 0
        cdef Py_ssize_t taken
        cdef int begun = 0
        try:
            while at < size:
                if self.state >= LINGERING:
                    return size
                if self.exchange is None:
                    if self.is_full():
                        return at  # whoever doesn't read its answers gets no more of them
                    if begun == TURN:
                        self.resume_soon()
                        return at
                    taken = self.read_request(data + at, size - at)
                    if taken == 0:
                        return at
                    at += taken
                    if self.reader.head is not None:
                        begun += 1
                        self.behind = size - at
                        self.begin()
                elif self.reader is not None and self.reader.state != MESSAGE_READ:
                    at += self.read_body(data + at, size - at)
                else:
                    return at
        except ProtocolError as error:
            self.refuse(error)
            return size
        return at

    cdef Py_ssize_t read_request(self, char* data, Py_ssize_t size) except -1:
        """Read a head, and what of its body is there; 0 if the head isn't whole."""
        cdef Py_ssize_t taken
        if self.reader is None:
            self.reader = self.worker.borrow_reader()
        taken = self.reader.feed(data, size)
        if taken == 0:
            if self.state == IDLE:
                self.state = IN_HEAD
                self.deadline = self.worker.now() + self.worker.timeout_head
            return 0
        if self.reader.head is not None and self.reader.state != MESSAGE_READ and taken < size:
            taken += self.reader.feed(data + taken, size - taken)
        return taken

    cdef Py_ssize_t read_body(self, char* data, Py_ssize_t size) except -1:
        """Read more of the current request's body: for the application, or, if it is done, for nobody."""
        cdef RequestParser reader = self.reader
        cdef Exchange exchange = self.exchange
        cdef Py_ssize_t taken = reader.feed(data, size)
        if exchange.response_state >= RESPONSE_DONE:
            self.discarded += taken
            reader.take_pieces()
            self.may_end()
        else:
            exchange.body_came(reader.take_pieces(), taken, reader.state == MESSAGE_READ)
            self.deadline = self.worker.now() + self.worker.timeout_body
        return taken

    cdef bint has_waiting(self) noexcept:
        """Do requests wait behind the last one for their turn, or for room to be answered? (Less than a head doesn't.)"""
        return self.state == IDLE and self.pending.size > 0

    cdef int settle(self) except -1:
        """A turn is over: what was gathered leaves, reading is set to what there is room for."""
        if self.lost:
            return 0
        if self.out is not None:
            self.flush()
        if self.state == IDLE or self.state == IN_EXCHANGE or self.state == IN_HEAD:
            if self.ended and self.exchange is None and not self.has_waiting():
                self.close()
            else:
                self.set_reading()
        elif self.state == LINGERING:
            self.end_writing()
        elif self.state == CLOSING and not self.blocked and not self.lost:
            self.transport.close()
        return 0

    cdef int set_reading(self) except -1:
        """Pause reading while more waits than is good for memory; else read on."""
        cdef bint pause = self.pending.size >= READ_AHEAD and (
            self.exchange is not None or self.resuming or self.is_full()
        )
        if self.exchange is not None and self.exchange.piece_bytes >= BODY_AHEAD:
            pause = True
        if pause != self.paused and not self.ended:
            self.paused = pause
            if pause:
                self.transport.pause_reading()
            else:
                self.transport.resume_reading()
        return 0

    # An exchange's begin and end.

    cdef int begin(self) except -1:
        """A request's head is read: hand it to the gateway."""
        cdef RequestParser reader = self.reader
        cdef Exchange exchange = Exchange.__new__(Exchange, self, reader.head)
        cdef Py_ssize_t size
        self.exchange = exchange
        self.state = IN_EXCHANGE
        self.discarded = 0
        if reader.pieces is not None or reader.state == MESSAGE_READ:
            size = reader.piece_bytes
            exchange.body_came(reader.take_pieces(), size, reader.state == MESSAGE_READ)
        if reader.state == MESSAGE_READ:
            self.return_reader()
            self.deadline = 0
        else:
            self.deadline = self.worker.now() + self.worker.timeout_body
        if self.ended:
            exchange.body_lost()
        if self.worker.limit_concurrency and self.refused_by_load():
            return 0
        self.worker.begin_request()
        self.worker.gateway.start(exchange)
        if self.ended and self.exchange is exchange:
            self.worker.gateway.half_close(exchange)
        return 0

    cdef bint refused_by_load(self) except -1:
        """--limit-concurrency: too many requests are in work for another one?"""
        if self.worker.in_work < self.worker.limit_concurrency:
            return False
        self.worker.events.on_request_refused(
            ProtocolError(503, f"{self.worker.in_work} requests in work", "--limit-concurrency"), self.client
        )
        headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"retry-after", b"1")]
        self.exchange.respond(503, headers, b"Service Unavailable\n")
        return True

    cdef int response_done(self, object carried) except -1:
        """The exchange's response is whole."""
        cdef Exchange exchange = <Exchange>carried
        self.written(True)
        if exchange is not self.exchange:
            return 0
        self.may_end()
        if not self.in_turn:
            if self.exchange is None and self.pending.size and self.state == IDLE:
                self.resume_soon()
            self.settle()
        return 0

    cdef int response_failed(self, object carried) except -1:
        """The response broke off: the client must be able to tell that it isn't whole."""
        cdef Exchange exchange = <Exchange>carried
        if exchange is self.exchange and self.state != CLOSED:
            if exchange.framing == UNTIL_CLOSE:
                self.abort()
            else:
                self.close()
        return 0

    cdef bint reusable(self, object carried) noexcept:
        """Here it is decided whether a connection goes on after a response; asked when its head is finished."""
        cdef Exchange exchange = <Exchange>carried
        if self.worker.stopping or not exchange.head.keep_alive or exchange.request_state == BODY_LOST:
            return False
        if self.worker.timeout_keep_alive <= 0:
            return False
        if self.ended and not self.pending.size:
            return False
        return exchange.request_state != BODY_COMING or self.discards_rest(exchange)

    cdef bint discards_rest(self, Exchange exchange) noexcept:
        """The application hasn't taken the whole body. Is what is left little enough to be read for nobody?

        Of a client that waits for 100 Continue and didn't get it, nobody knows whether it will send the body.
        """
        if exchange.continue_due or self.reader is None:
            return False
        return exchange.head.framing != BY_LENGTH or self.reader.left <= DISCARD

    cdef int may_end(self) except -1:
        """Response and request whole: the exchange is over. The response only: throw the rest away, or close."""
        cdef Exchange exchange = self.exchange
        if exchange.fields.close or self.discarded > DISCARD:
            return self.linger() if self.has_unread() else self.close()
        if self.reader is not None and self.reader.state != MESSAGE_READ:
            exchange.pieces = None
            exchange.piece_bytes = 0
            self.deadline = self.worker.now() + self.worker.timeout_body
            return 0
        return self.end_exchange()

    cdef bint has_unread(self) noexcept:
        """Has something come, or is something known to come, that will not be read? Then a plain close is a reset."""
        if self.ended:
            return False
        return self.reader is not None or self.behind or self.pending.size or self.paused or atlas_socket_unread(self.fd)

    cdef int end_exchange(self) except -1:
        """Ready for the next request."""
        self.drop_exchange()
        self.return_reader()
        self.state = IDLE
        if self.worker.stopping:
            return self.close()
        self.deadline = self.worker.now() + self.worker.timeout_keep_alive
        return 0

    cdef int resume_soon(self) except -1:
        """Go on with what is pending in the next turn of the loop, so that others have theirs."""
        if not self.resuming:
            self.resuming = True
            self.worker.loop.call_soon(self.resume)
        return 0

    def resume(self):
        """Go on with what is pending."""
        self.resuming = False
        if self.lost or self.state >= LINGERING:
            return
        self.in_turn = True
        try:
            self.take(NULL, 0)
        finally:
            self.in_turn = False
            self.settle()

    cdef int body_wanted(self, object carried) except -1:
        """The application waits for more of the body."""
        cdef Exchange exchange = <Exchange>carried
        if exchange.continue_due and exchange.response_state == NO_RESPONSE:
            exchange.continue_due = False
            self.buffer().append(b"HTTP/1.1 100 Continue\r\n\r\n", 25)
            self.written(True)
        if exchange.request_state == BODY_COMING:
            self.deadline = self.worker.now() + self.worker.timeout_body
        if self.paused and not self.in_turn:
            self.set_reading()
        return 0

    # Leaving.

    cdef int refuse(self, object error) except -1:
        """The one door for a peer's mistakes: answer, if an answer can still be told from a response, and close."""
        cdef Exchange exchange = self.exchange
        cdef Py_ssize_t size
        self.worker.events.on_request_refused(error, self.client)
        if self.reader is not None:
            self.reader.state = READING_HEAD  # it broke off, wherever it stood: not for the pool
        if exchange is not None:
            if exchange.response_state == HEAD_HELD:
                exchange.drop_head()
            if exchange.response_state != NO_RESPONSE:
                self.drop_exchange()
                return self.close()
            self.drop_exchange()
        size = write_refusal(self.buffer(), self.worker, error.status, error.reason)
        if self.worker.access_records is not None:
            self.worker.log_refusal(self.client, error.status, size)
        return self.linger()

    cdef int linger(self) except -1:
        """Close so that the client can read the answer: a socket that is closed with unread bytes in it is reset.

        RFC 9112, section 9.6.
        """
        self.drop_exchange()
        self.return_reader()
        drop(&self.pending)
        self.state = LINGERING
        self.deadline = self.worker.now() + LINGER_SECONDS
        if self.ended or self.lost or not self.transport.can_write_eof():
            return self.close()
        if self.paused:
            self.paused = False
            self.transport.resume_reading()
        self.flush()
        return self.end_writing()

    cdef int end_writing(self) except -1:
        """The answer has left: tell the client that nothing follows, once."""
        if self.out is None and not self.blocked and not self.lost and not self.written_eof:
            self.written_eof = True
            try:
                self.transport.write_eof()
            except OSError:  # it is gone already; asyncio's own loop finds out only now
                self.abort()
        return 0

    cdef int close(self) except -1:
        """Read nothing more; close when what is gathered has left."""
        if self.state == CLOSED or self.transport is None:
            return 0
        self.state = CLOSING
        self.deadline = 0
        self.drop_exchange()
        self.return_reader()
        drop(&self.pending)
        self.flush()
        if not self.blocked and not self.lost:
            self.transport.close()
        return 0

    cpdef int abort(self) except -1:
        """End it at once."""
        self.state = CLOSING
        self.lost = True
        if self.transport is not None:
            self.transport.abort()

    cdef int drop_exchange(self) except -1:
        """Let go of the current exchange, and tell the application if it isn't done with it."""
        cdef Exchange exchange = self.exchange
        self.exchange = None
        if exchange is not None:
            if exchange.response_state < RESPONSE_DONE and self.worker.gateway is not None:
                self.worker.gateway.disconnect(exchange)
            exchange.release()
            self.open_gate()
        return 0

    cdef int return_reader(self) except -1:
        """Back to the pool, if its message was read to the end; else its parser is somewhere in the middle."""
        cdef RequestParser reader = self.reader
        self.reader = None
        if reader is None:
            return 0
        if reader.state == MESSAGE_READ:
            return self.worker.give_reader(reader)
        return reader.discard()

    def flush_now(self):
        """The turn of the loop is over."""
        self.queued = False
        self.settle()
