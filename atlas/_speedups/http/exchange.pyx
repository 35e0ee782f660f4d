"""One request and its response: ``receive``, ``send``, ``respond``.

The ASGI events of the HTTP part (ASGI 3, HTTP message format 2.5) are understood here, and the rules of RFC 9110 and
9112 about bodies are kept here, whatever the application does. State lives in two small enums; nothing is written of a
response that breaks a rule before its head has left.
"""

cimport cython
from cpython.bytes cimport PyBytes_GET_SIZE

from atlas._speedups.http.access_line cimport access_line
from atlas._speedups.http1.carrier cimport Carrier
from atlas._speedups.http.awaitables cimport FINISHED
from atlas._speedups.http1.framing cimport BY_LENGTH, CHUNKED, NO_BODY, UNTIL_CLOSE, response_framing
from atlas._speedups.http.incoming cimport BODY_LOST, Incoming
from atlas._speedups.calls.response cimport BaseResponse
from atlas._speedups.http.request_head cimport RequestHead
from atlas._speedups.http1.response_head cimport field_pairs, final_status, write_fields, write_status, write_trailer
from atlas._speedups.buffers.write_buffer cimport WriteBuffer

import time as _time

from atlas.errors import ClientDisconnected

_wall_time = _time.time

cdef enum:
    CLIENT_CLOSED = 499     # nginx's word for a client that left before there was a status; only ever logged

cdef str START = "http.response.start"
cdef str BODY = "http.response.body"


@cython.final
cdef class Exchange(Incoming):
    """One request and its response, between a connection and a gateway.

    ``scope()``, ``receive`` and ``send`` are what an ASGI application is called with; ``respond`` is the short way for
    who has a whole response in hand. ``finish_application()`` ends it, and says whether all was well.
    """

    def __cinit__(self, Carrier carrier not None, RequestHead head not None):
        self.began = self.worker.now()
        self.response_state = NO_RESPONSE

    # Sending.

    def send(self, event):
        """ASGI's ``send``: an awaitable of None.

        :raises ClientDisconnected: the client went away (an OSError).
        :raises RuntimeError: an event out of turn, or of an unknown type.
        :raises TypeError, ValueError: an event whose content is wrong; nothing of it was written.
        """
        if self.carrier is not None and self.carrier.is_full():
            return self.send_later(event)
        awaitable = self.send_now(event)
        return FINISHED if awaitable is None else awaitable

    async def send_later(self, event):
        """Wait until the client has read enough, then send."""
        while self.carrier is not None and self.carrier.is_full():
            await self.gate()
        awaitable = self.send_now(event)
        if awaitable is not None:
            await awaitable

    async def gate(self):
        """Wait until the carrier has room, or is lost."""
        cdef Carrier carrier = self.carrier
        future = carrier.writable()
        try:
            await future
        finally:
            carrier.forget_waiter(future)

    cdef object send_now(self, object event):
        """Carry an event out; returns None, or an awaitable where a file is to be sent."""
        cdef object kind
        try:
            kind = event["type"]
        except (TypeError, KeyError):
            raise RuntimeError(f"expected an ASGI event (a dict with a type), got {event!r}") from None
        self.check_carrier(kind)
        if kind == BODY:
            self.send_body(event)
        elif kind == START:
            self.start_response(event)
        elif kind == "http.response.trailers":
            self.send_trailers(event)
        elif kind == "http.response.early_hint":
            self.send_early_hint(event)
        elif kind == "http.response.pathsend" or kind == "http.response.zerocopysend":
            return self.worker.gateway.send_file(self, event)
        else:
            raise RuntimeError(f"expected an event of type http.response.*, got {kind!r}")
        return None

    cdef int check_carrier(self, object what) except -1:
        """Is there still somebody to whom ``what`` can be sent?"""
        if self.response_state == RESPONSE_DONE:
            raise RuntimeError(f"expected no event after the response was complete, got {what!r}")
        if self.response_state == RESPONSE_FAILED or self.carrier is None or self.carrier.lost:
            raise ClientDisconnected("the client went away before the response was complete")
        return 0

    cdef int start_response(self, object event) except -1:
        """Check status and headers, and write them behind what is gathered; they leave with the body's first piece."""
        cdef WriteBuffer out
        cdef Py_ssize_t mark
        cdef object status = event.get("status")
        cdef object headers = event.get("headers")
        cdef list pairs
        if self.response_state != NO_RESPONSE:
            raise RuntimeError("expected one http.response.start, got a second one")
        cdef int code = final_status(status)
        self.trailers = bool(event.get("trailers"))
        pairs = field_pairs(headers)
        out = self.carrier.buffer()
        mark = out.size
        self.status = code
        self.response_headers = headers
        try:
            write_status(out, self.status)
            write_fields(out, pairs, self.status, &self.fields)
        except BaseException:
            out.size = mark
            raise
        self.carrier.held = mark
        self.response_state = HEAD_HELD
        return 0

    cdef int send_body(self, object event) except -1:
        cdef object body = event.get("body", b"")
        cdef bint more = bool(event.get("more_body", False))
        cdef Py_ssize_t size
        if type(body) is not bytes:
            if not isinstance(body, (bytes, bytearray, memoryview)):
                raise TypeError(f"expected the body of http.response.body in bytes, got {type(body).__name__}")
            body = bytes(body)
        size = PyBytes_GET_SIZE(<bytes>body)
        if self.response_state == HEAD_HELD:
            self.end_head(not more, size)
        elif self.response_state == BODY_OPEN:
            self.check_length(size, more)
        elif self.response_state == NO_RESPONSE:
            raise RuntimeError("expected http.response.start before http.response.body")
        else:
            raise RuntimeError("expected http.response.trailers after the last http.response.body")
        return self.write_body(<bytes>body, more)

    cdef int check_length(self, Py_ssize_t size, bint more) except -1:
        """Does a piece of ``size`` bytes keep to the content-length? The response can't be mended if it doesn't."""
        cdef long long total = self.body_bytes + size
        if self.framing != BY_LENGTH:
            return 0
        if total > self.fields.length:
            raise RuntimeError(f"expected a body of {self.fields.length} bytes (content-length), got {total} or more")
        if not more and total < self.fields.length:
            raise RuntimeError(f"expected a body of {self.fields.length} bytes (content-length), got {total}")
        return 0

    cdef int end_head(self, bint single, Py_ssize_t size) except -1:
        """The body's first piece tells the framing: finish the head, and let it go.

        ``single``: this piece is the whole body, of ``size`` bytes.
        """
        cdef WriteBuffer out = self.carrier.buffer()
        self.framing = response_framing(
            self.head.method == "HEAD", self.status, self.head.http_10, self.fields.has_length, single, self.trailers
        )
        try:
            if self.fields.has_length:
                self.check_length(size, not single)
            self.write_framing(single, size)
        except BaseException:
            self.drop_head()
            raise
        self.carrier.held = -1
        self.response_state = BODY_OPEN
        self.continue_due = False
        return 0

    cdef int write_framing(self, bint single, Py_ssize_t size) except -1:
        """The lines of a head that are the server's."""
        cdef WriteBuffer out = self.carrier.buffer()
        if not self.fields.has_length:
            if self.framing == BY_LENGTH or (self.framing == NO_BODY and single and size and self.status not in (204, 304)):
                # For HEAD it is the length that GET would have had, if the application sent a body at all.
                self.fields.length = size
                out.append(b"content-length: ", 16)
                out.append_decimal(size)
                out.append(b"\r\n", 2)
            elif self.framing == CHUNKED:
                out.append(b"transfer-encoding: chunked\r\n", 28)
        self.worker.write_own_lines(out, not self.fields.has_date, not self.fields.has_server)
        if self.framing == UNTIL_CLOSE:
            self.fields.close = True
        if self.fields.close or not self.carrier.reusable(self):
            self.fields.close = True
            out.append(b"connection: close\r\n\r\n", 21)
        elif self.head.http_10:
            out.append(b"connection: keep-alive\r\n\r\n", 26)
        else:
            out.append(b"\r\n", 2)
        return 0

    cdef int drop_head(self) except -1:
        """The held head is not to leave: as if the response had never been started."""
        cdef WriteBuffer out = self.carrier.buffer()
        out.size = self.carrier.held
        self.carrier.held = -1
        self.response_state = NO_RESPONSE
        return 0

    cdef int write_body(self, bytes body, bint more) except -1:
        cdef Py_ssize_t size = PyBytes_GET_SIZE(body)
        self.begin_piece(size)
        if size and self.framing != NO_BODY:
            self.carrier.write_piece(body)
        return self.end_piece(size, more)

    cdef int begin_piece(self, long long size) except -1:
        """What stands before ``size`` bytes of the body (RFC 9112, section 7.1). An empty chunk would end it: none then."""
        cdef WriteBuffer out
        self.body_bytes += size
        if size and self.framing == CHUNKED:
            out = self.carrier.buffer()
            out.append_hex(size)
            out.append(b"\r\n", 2)
        return 0

    cdef int end_piece(self, long long size, bint more) except -1:
        """What stands behind them, and, if nothing follows, behind the body."""
        cdef WriteBuffer out
        if self.framing == CHUNKED:
            out = self.carrier.buffer()
            if size:
                out.append(b"\r\n", 2)
            if not more:
                out.append(b"0\r\n\r\n", 3 if self.trailers else 5)
        if more:
            self.carrier.written(False)
        elif self.trailers:
            self.response_state = TRAILERS_OPEN
        else:
            self.finish()
        return 0

    cdef int send_trailers(self, object event) except -1:
        cdef list pairs = field_pairs(event.get("headers"))
        cdef WriteBuffer out
        cdef Py_ssize_t mark
        self.check_carrier("trailers")
        if self.response_state != TRAILERS_OPEN:
            raise RuntimeError("expected http.response.trailers after a body that promised them (trailers: True)")
        out = self.carrier.buffer()
        mark = out.size
        if self.framing == CHUNKED:
            try:
                write_trailer(out, pairs)
            except BaseException:
                out.size = mark
                raise
        if event.get("more_trailers", False):
            return 0
        if self.framing == CHUNKED:
            out.append(b"\r\n", 2)
        return self.finish()

    cdef int send_early_hint(self, object event) except -1:
        """RFC 8297. A 1.0 client doesn't know interim responses."""
        cdef list pairs = [(b"link", link) for link in event.get("links", ())]
        cdef WriteBuffer out
        cdef Py_ssize_t mark
        self.check_carrier("an early hint")
        if self.response_state != NO_RESPONSE:
            raise RuntimeError("expected http.response.early_hint before http.response.start")
        out = self.carrier.buffer()
        mark = out.size
        if self.head.http_10:
            return 0
        try:
            write_status(out, 103)
            write_trailer(out, pairs)
            out.append(b"\r\n", 2)
        except BaseException:
            out.size = mark
            raise
        return self.carrier.written(True)

    cdef int finish(self) except -1:
        """The response is whole."""
        cdef Carrier carrier = self.carrier
        self.response_state = RESPONSE_DONE
        self.answered = True
        self.wake_receivers()
        carrier.response_done(self)
        return self.log(carrier)

    cdef int log(self, Carrier carrier) except -1:
        """A line for the access log, where there is one; never an error, for the response is on its way."""
        cdef RequestHead head = self.head
        if self.worker.access_records is None:
            return 0
        if self.worker.access_lines is not None:
            return self.worker.log_access(
                access_line(
                    self.worker.access_lines, carrier.client, head.method, head.target, head.http_10, self.status
                )
            )
        return self.worker.log_access((
            carrier.client, head.method, head.target, "1.0" if head.http_10 else "1.1", self.status,
            self.body_bytes if self.framing != NO_BODY else 0, _wall_time(), self.worker.now() - self.began,
            head.headers, self.response_headers,
        ))

    # The short way, and how it ends.

    def respond(self, int status, headers, bytes body not None):
        """Send a whole response: ``headers`` as in ``http.response.start``; raises as :meth:`send` does."""
        self.check_carrier("a response")
        self.start_response({"status": status, "headers": headers})
        self.end_head(True, PyBytes_GET_SIZE(body))
        self.write_body(body, False)

    cdef int send_reply(self, BaseResponse reply) except -1:
        """Send a response as it is: no event, no list of fields. Raises as :meth:`send` does."""
        cdef WriteBuffer out
        cdef Py_ssize_t mark
        cdef bytes body
        self.check_carrier("a response")
        if self.response_state != NO_RESPONSE:
            raise RuntimeError("expected one response, got a second one")
        body = reply.sent_body()
        out = self.carrier.buffer()
        mark = out.size
        try:
            reply.write_head(out, &self.fields)
        except BaseException:
            out.size = mark
            raise
        self.status = reply.status_code
        if self.worker.access_records is not None and self.worker.access_lines is None:
            self.response_headers = reply.sent_fields(&self.fields)
        self.carrier.held = mark
        self.response_state = HEAD_HELD
        self.end_head(True, PyBytes_GET_SIZE(body))
        return self.write_body(body, False)

    def probe(self):
        """The client sends nothing more: ask whether it still listens, by an interim response that it may ignore.

        RFC 9110, section 15.2: every client of HTTP/1.1 understands a 1xx that it didn't ask for. One that is gone
        answers with a reset: :attr:`hung_up` then. False if this is not the time to ask.
        """
        if self.response_state != NO_RESPONSE or self.head.http_10 or self.carrier is None or self.carrier.lost:
            return False
        self.carrier.buffer().append(b"HTTP/1.1 100 Continue\r\n\r\n", 25)
        self.carrier.written(True)
        return True

    def finish_application(self):
        """The application is done with the request; False if it left its response unfinished (and was to blame).

        Whatever it left is dealt with: 500 if nothing has left yet, else the connection is cut. Called once.
        """
        return self.end_application()

    cdef bint end_application(self) except -1:
        self.worker.in_work -= 1
        if self.response_state >= RESPONSE_DONE or self.carrier is None or self.carrier.lost:
            return True
        if self.broken_off() and self.response_state == NO_RESPONSE:
            self.response_state = RESPONSE_FAILED
            self.status = CLIENT_CLOSED
            self.answered = True
            self.log(self.carrier)
            self.carrier.response_failed(self)
            return True
        self.fail_response()
        return False

    cdef bint broken_off(self) noexcept:
        """Did the client leave in the middle of its request, so that there is nobody to answer and nothing to blame?"""
        return self.client_left and self.request_state == BODY_LOST

    cdef int fail_response(self) except -1:
        """No more is to come from the application: 500 if nothing has left yet, else the connection is cut."""
        if self.response_state == HEAD_HELD:
            self.drop_head()
        if self.response_state == NO_RESPONSE:
            self.respond(
                500, [(b"content-type", b"text/plain; charset=utf-8")], b"Internal Server Error\n"
            )
            return 0
        if self.response_state < RESPONSE_DONE:
            self.response_state = RESPONSE_FAILED
            self.answered = True
            self.wake_receivers()
            self.log(self.carrier)
            self.carrier.response_failed(self)
        return 0

    def release(self):
        """Cut what ties the exchange to its connection; after that it can only say that the client is gone."""
        self.body_lost()
        self.cut_short = self.response_state < RESPONSE_DONE or (self.carrier is not None and self.carrier.lost)
        if self.response_state < RESPONSE_DONE:
            if self.response_state == NO_RESPONSE:
                self.status = CLIENT_CLOSED
            self.response_state = RESPONSE_FAILED
            if self.carrier is not None and self.carrier.lost:
                self.log(self.carrier)
        self.answered = True
        self.pieces = None
        if self.carrier is not None:
            self.keep_ends(self.carrier)
        self.carrier = None

    def end_for_shutdown(self):
        """The server's grace is over: ``receive`` tells of a disconnect."""
        self.request_state = BODY_LOST
        self.pieces = None
        self.wake_receivers()

    @property
    def complete(self):
        """Is the response whole?"""
        return self.response_state == RESPONSE_DONE

    @property
    def started(self):
        """Has the application begun a response?"""
        return self.response_state != NO_RESPONSE

    @property
    def lost(self):
        """Did the client go away before the response was complete?"""
        return self.cut_short or (self.carrier is not None and self.carrier.lost)

    # What sending a file needs; see atlas/gateway/files.py.

    def open_body(self, long long size, bint more):
        """Finish the head for a body whose next ``size`` bytes the caller writes to the socket itself."""
        self.check_carrier("a file")
        if self.response_state == HEAD_HELD:
            self.end_head(not more, size)
        elif self.response_state == BODY_OPEN:
            self.check_length(size, more)
        else:
            raise RuntimeError("expected http.response.start before a file is sent")
        self.begin_piece(size)
        return self.framing != NO_BODY

    def close_body(self, long long size, bint more):
        """The counterpart of :meth:`open_body`, when those bytes have left."""
        self.check_carrier("the end of a file")
        self.end_piece(size, more)

    def write(self, bytes data not None):
        """Append raw bytes of a body that :meth:`open_body` announced."""
        self.check_carrier("a piece of a file")
        self.carrier.write_piece(data)
        self.carrier.written(False)

    async def drain(self):
        """Wait until everything that was sent has left the process; raises ClientDisconnected."""
        if self.carrier is not None:
            self.carrier.flush()
        while self.carrier is not None and self.carrier.blocked and not self.carrier.lost:
            await self.gate()
        if self.carrier is None or self.carrier.lost:
            raise ClientDisconnected("the client went away before the response was complete")

    @property
    def socket_fd(self):
        """The plain socket's file descriptor, for sendfile(2); -1 where there is none.

        It is good until ``lost`` is True: a transport closes its socket after it has told of the loss.
        """
        return self.carrier.fd if self.carrier is not None else -1

    @property
    def write_timeout(self):
        """Seconds without progress after which a client that reads nothing is given up."""
        return self.worker.timeout_write
