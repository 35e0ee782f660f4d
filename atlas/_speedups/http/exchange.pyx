"""One request and its response, between a protocol and a gateway; the same for every version of HTTP.

It reads the ASGI events (HTTP message format 2.5) and keeps RFC 9110's rules about what a message may consist of. Its
:class:`ResponseStream` makes bytes. Nothing is written of a response that breaks a rule before its head has left.
"""

cimport cython
from cpython.bytes cimport PyBytes_GET_SIZE

from atlas._speedups.buffers.connection_set cimport precise_monotonic
from atlas._speedups.buffers.socket_io cimport atlas_socket_hung_up
from atlas._speedups.http.request_body cimport BODY_COMING, BODY_LOST, BODY_THERE, FINISHED, BodyState, RequestBody
from atlas._speedups.http.request_head cimport RequestHead
from atlas._speedups.http.response_stream cimport (
    FieldLine, HeadFacts, ResponseStream, event_field, field_pairs, final_status, forbids_body, has_event_stream, is_type
)
from atlas._speedups.http.server_state cimport ServerState

from atlas.errors import ClientDisconnected

cdef enum:
    CLIENT_CLOSED = 499     # as nginx logs a client that left before there was a status

cdef list TEXT = [(b"content-type", b"text/plain; charset=utf-8")]


cdef class Gateway:
    """Calls an application, once for each request. Base class.

    A protocol makes an :class:`Exchange` for each request and calls :meth:`start`; from then on the exchange is the
    gateway's, until it calls ``end_application``.
    """

    cdef int start(self, Exchange exchange) except -1:
        """Begin to work on a request; called on the loop, outside of any task. Raises nothing of the application's."""
        raise NotImplementedError

    cdef int disconnect(self, Exchange exchange) except -1:
        """The client is gone, or its connection isn't served any more; ``receive`` says so already."""
        return 0

    cdef int half_close(self, Exchange exchange) except -1:
        """The client will send nothing more: it is gone, or still reads. ``receive`` says so already."""
        return 0

    def send_file(self, exchange, event):
        """An awaitable that carries out ``http.response.pathsend`` or ``http.response.zerocopysend``."""
        raise NotImplementedError

    def cancel(self):
        """Cancel the requests that are still worked on."""

    def close(self):
        """Cut the reference cycles; no request is started afterwards."""


@cython.final
@cython.freelist(32)
cdef class Exchange:
    """One request and its response.

    ``scope()``, ``receive`` and ``send`` are what an ASGI application is called with; ``respond`` sends a whole response.
    """

    def __init__(self):
        raise TypeError("expected a protocol to make the exchange of a request")

    cdef int init(self, ServerState state, Gateway gateway, ResponseStream stream, RequestHead head) except -1:
        """Begin. ``gateway`` works on the request of ``head``; ``stream`` takes the response."""
        self.state = state
        self.gateway = gateway
        self.stream = stream
        self.connection = stream.connection
        self.head = head
        self.client = self.connection.client
        self.scheme = "https" if self.connection.secure else "http"
        if state.measures:
            self.began = precise_monotonic()
        return 0

    # What was asked.

    def scope(self):
        """A new ASGI scope of type "http": a dict that belongs to the caller."""
        return self.make_scope()

    cdef int read_forwarded(self) except -1:
        """Take over what the trusted proxy at the other end says of the request."""
        if (forwarded := self.state.read_forwarded(self.head)) is None:
            return 0
        self.client, self.scheme = forwarded.client or self.client, forwarded.scheme or self.scheme
        if forwarded.host is not None:
            self.head.headers = forwarded.with_host(self.head.headers)
        self.prefix = forwarded.prefix
        if self.prefix is not None:
            self.whole_scope()  # the attributes of a request are read from it then
        return 0

    cdef dict make_scope(self):
        return self.state.new_scope(self.head, self.connection, self.client, self.scheme, self.prefix)

    cdef dict whole_scope(self):
        """The one scope of this request, the same dict for every caller; made when it is first asked for."""
        cdef dict scope = self.scope_dict
        if scope is None:
            scope = self.make_scope()
            if self.notes is not None:
                scope.update(self.notes)
                self.notes = None
            self.scope_dict = scope
        return scope

    cdef dict get_notes(self):
        """The dict for what is to be in the scope, if it is ever asked for: the scope itself once it is made."""
        if self.scope_dict is not None:
            return self.scope_dict
        if self.notes is None:
            self.notes = {}
        return self.notes

    # The request's body.

    def receive(self):
        """ASGI's ``receive``: an awaitable of the next event, ``http.request`` or ``http.disconnect`` (a dict)."""
        return self.get_body().receive()

    cdef RequestBody get_body(self):
        if self.body is None:
            self.body = RequestBody.__new__(RequestBody, self.state.loop, self.stream, self.head.has_body)
            if self.response_state >= RESPONSE_DONE:
                self.body.close()
        return self.body

    cdef BodyState body_state(self) noexcept:
        if self.body is not None:
            return self.body.state
        return BODY_COMING if self.head.has_body else BODY_THERE

    cdef Py_ssize_t body_waiting(self) noexcept:
        """Bytes of the body that have come and that the application hasn't received."""
        return self.body.size if self.body is not None else 0

    # The loss of the client.

    @property
    def hung_up(self):
        """Has the client closed its end altogether? Known once something was sent to it afterwards."""
        return self.stream is None or self.stream.is_lost() or atlas_socket_hung_up(self.connection.writer.fd)

    def abort(self):
        """Give the client up: the connection, or the stream of one, is reset."""
        if self.stream is not None and not self.stream.is_lost():
            self.stream.reset()

    # ASGI's send.

    def send(self, event):
        """ASGI's ``send``: an awaitable of None.

        :raises ClientDisconnected: the client went away (an OSError).
        :raises RuntimeError: an event out of turn, or of an unknown type.
        :raises TypeError, ValueError: an event whose content is wrong; nothing of it was written.
        """
        if self.stream is not None and not self.stream.is_writable():
            return self.send_later(event)
        return self.send_now(event) or FINISHED

    async def send_later(self, event):
        while self.stream is not None and not self.stream.is_writable():
            await self.wait_writable()
        await (self.send_now(event) or FINISHED)

    async def wait_writable(self):
        """Wait until the client has read enough, or is lost."""
        future = self.connection.writer.wait_writable()
        try:
            await future
        finally:
            self.connection.writer.cancel_wait(future)

    cdef object send_now(self, object event):
        """Carry an event out; returns None, or an awaitable where a file is to be sent."""
        cdef object kind
        try:
            kind = event["type"]
        except (TypeError, KeyError):
            raise RuntimeError(f"expected an ASGI event (a dict with a type), got {event!r}") from None
        if is_type(kind, b"http.response.trailers", 22):
            self.send_trailers(event)
            return None
        self.check_sendable(kind)
        if is_type(kind, b"http.response.body", 18):
            self.continue_body(event)
        elif is_type(kind, b"http.response.start", 19):
            self.start_response(event)
        elif kind == "http.response.early_hint":
            self.send_early_hint(event)
        elif kind == "http.response.pathsend" or kind == "http.response.zerocopysend":
            return self.gateway.send_file(self, event)
        else:
            raise RuntimeError(f"expected an event of type http.response.*, got {kind!r}")
        return None

    cdef int start_response(self, object event) except -1:
        """Check status and headers; the head leaves with the body's first piece."""
        cdef object headers = event_field(event, "headers", None)
        cdef list pairs
        cdef int status
        if self.response_state != NO_RESPONSE:
            raise RuntimeError("expected one http.response.start, got a second one")
        status = final_status(event_field(event, "status", None))
        pairs = field_pairs(headers)
        self.hold_head(status, None, pairs)
        self.response_headers = headers
        # RFC 9110, section 6.5.1: trailers are for a client that has said that it takes them.
        self.trailers = bool(event_field(event, "trailers", False)) and self.head.accepts_trailers and not self.bodyless
        return 0

    cdef int continue_body(self, object event) except -1:
        cdef object body = event_field(event, "body", b"")
        cdef bint more = bool(event_field(event, "more_body", False))
        cdef Py_ssize_t size
        if type(body) is not bytes:
            if not isinstance(body, (bytes, bytearray, memoryview)):
                raise TypeError(f"expected the body of http.response.body in bytes, got {type(body).__name__}")
            body = bytes(body)
        size = PyBytes_GET_SIZE(<bytes>body)
        if self.response_state == HEAD_HELD:
            self.send_head(not more, size)
        elif self.response_state == BODY_OPEN:
            self.check_length(size, more)
        elif self.response_state == NO_RESPONSE:
            raise RuntimeError("expected http.response.start before http.response.body")
        elif self.response_state == FILE_OPEN:
            raise RuntimeError("expected no http.response.body while a file is sent, or after one that was broken off")
        else:
            raise RuntimeError("expected http.response.trailers after the last http.response.body")
        self.body_size += size
        self.stream.send_data(<bytes>body, not more)
        return self.end_piece(size, more)

    cdef int send_trailers(self, object event) except -1:
        """Send trailers; those that weren't promised, or that the client doesn't take, are dropped."""
        cdef list pairs = field_pairs(event.get("headers"))
        cdef bint last = not event.get("more_trailers", False)
        if self.response_state == RESPONSE_DONE and not self.trailers:
            return 0
        self.check_sendable("trailers")
        if self.response_state != TRAILERS_OPEN:
            raise RuntimeError("expected http.response.trailers after the last http.response.body")
        self.stream.send_trailers(pairs, last)
        return self.finish() if last else 0

    cdef int send_early_hint(self, object event) except -1:
        """RFC 8297. A client of HTTP/1.0 doesn't know interim responses: dropped."""
        cdef list pairs = [(b"link", link) for link in event.get("links", ())]
        if self.response_state != NO_RESPONSE:
            raise RuntimeError("expected http.response.early_hint before http.response.start")
        return 0 if self.head.http_10 else self.stream.send_interim(103, pairs)

    # The response, piece by piece.

    cdef int check_sendable(self, object what) except -1:
        """Raise if ``what`` can't be sent any more."""
        if self.response_state == RESPONSE_DONE:
            raise RuntimeError(f"expected no event after the response was complete, got {what!r}")
        if self.response_state == RESPONSE_FAILED or self.stream is None or self.stream.is_lost():
            raise ClientDisconnected(self.connection.writer.loss())
        return 0

    cdef int hold_head(self, int status, FieldLine first, list fields) except -1:
        """Encode a head and hold it."""
        self.stream.hold_head(status, first, fields, &self.facts)
        return self.after_hold(status)

    cdef int hold_encoded(self, int status, bytes head, HeadFacts* facts) except -1:
        """Hold a head that a stream of the same kind has encoded before."""
        self.stream.hold_encoded(head)
        self.facts = facts[0]
        return self.after_hold(status)

    cdef int after_hold(self, int status) except -1:
        self.status = status
        self.bodyless = forbids_body(status) or self.head.method == "HEAD"
        self.response_state = HEAD_HELD
        return 0

    cdef int drop_head(self) except -1:
        """The held head is not to leave: as if the response had never been started."""
        self.stream.drop_head()
        self.response_state = NO_RESPONSE
        self.trailers = False  # a response that takes its place promises none
        return 0

    cdef int send_head(self, bint whole, Py_ssize_t size) except -1:
        """Let the head leave. ``whole``: the first piece, of ``size`` bytes, is the whole body."""
        try:
            if self.facts.has_length:
                self.check_length(size, not whole)
            self.stream.send_head(self.status, &self.facts, self.bodyless, self.trailers, whole, size)
        except BaseException:
            self.drop_head()
            raise
        self.response_state = BODY_OPEN
        return 0

    cdef int send_whole(self, bytes body) except -1:
        """The head is held: let it leave with the whole body."""
        cdef Py_ssize_t size = PyBytes_GET_SIZE(body)
        self.send_head(True, size)
        self.body_size = size
        self.stream.send_data(body, True)
        return self.finish()

    cdef int check_length(self, long long size, bint more) except -1:
        """Does a piece of ``size`` bytes keep to the content-length? A response that doesn't can't be mended."""
        cdef long long total = self.body_size + size
        cdef long long length = self.facts.length
        if self.facts.has_length and not self.bodyless and (total > length or (not more and total < length)):
            more_or_less = " or more" if more else ""
            raise RuntimeError(f"expected a body of {length} bytes (content-length), got {total}{more_or_less}")
        return 0

    cdef int end_piece(self, long long size, bint more) except -1:
        """A piece of the body was sent."""
        if not more and self.trailers:
            self.response_state = TRAILERS_OPEN
        return self.finish() if not more and not self.trailers else 0

    def respond(self, int status, headers, bytes body not None):
        """Send a whole response: ``headers`` as in ``http.response.start``; raises as :meth:`send` does."""
        self.check_sendable("a response")
        if self.response_state != NO_RESPONSE:
            raise RuntimeError("expected one response, got a second one")
        self.hold_head(final_status(status), None, field_pairs(headers))
        self.response_headers = headers
        self.send_whole(body)

    def probe(self):
        """The client sends nothing more: ask by an interim response, which it may ignore, whether it still reads.

        RFC 9110, section 15.2: a client of HTTP/1.1 understands any 1xx. One that is gone answers with a reset:
        :attr:`hung_up` then. :returns: False if this is not the time to ask.
        """
        if self.response_state != NO_RESPONSE or self.head.http_10 or self.stream is None or self.stream.is_lost():
            return False
        self.stream.send_interim(100, [])
        return True

    # How it ends.

    cdef int switch_protocols(self) except -1:
        """The connection is another protocol's from now on."""
        self.status = 101
        self.response_state = RESPONSE_DONE
        return self.log()

    cdef int finish(self) except -1:
        """The response is whole."""
        self.response_state = RESPONSE_DONE
        if self.body is not None:
            self.body.close()
        self.log()
        return self.stream.response_done()

    def finish_application(self):
        """The application is done with the request. Called once, by the gateway.

        What the application left open is ended: 500 if nothing has left yet, else the connection is cut.
        :returns: False if the application is to blame for a response that isn't whole.
        """
        return self.end_application()

    cdef bint end_application(self) except -1:
        self.state.end_request()
        if self.response_state >= RESPONSE_DONE or self.stream is None or self.stream.is_lost():
            return True
        if self.is_abandoned() and self.response_state == NO_RESPONSE:
            self.response_state = RESPONSE_FAILED
            self.status = CLIENT_CLOSED
            self.log()
            self.stream.response_failed()
            return True
        self.fail_response()
        return False

    @property
    def abandoned(self):
        """Did the client leave in the middle of its request, and was the application told?"""
        return self.is_abandoned() and self.body.told

    cdef bint is_abandoned(self) noexcept:
        """Did the client leave in the middle of its request? Then there is no one to answer, and no one to blame."""
        return self.body is not None and self.body.half_closed and self.body.state == BODY_LOST

    cdef int fail_response(self) except -1:
        """Nothing more comes from the application: 500 if nothing has left yet, else the connection is cut."""
        if self.response_state == HEAD_HELD:
            self.drop_head()
        if self.response_state == NO_RESPONSE:
            self.respond(500, TEXT, b"Internal Server Error\n")
            return 0
        if self.response_state < RESPONSE_DONE:
            self.response_state = RESPONSE_FAILED
            if self.body is not None:
                self.body.close()
            self.log()
            self.stream.response_failed()
        return 0

    cdef int drain(self) except -1:
        """The server is about to stop: server-sent events have no end of their own, and their client connects again."""
        return self.end_for_shutdown() if has_event_stream(self.response_headers) else 0

    cdef int end_for_shutdown(self) except -1:
        """The time to finish is over: ``receive`` tells of a disconnect."""
        cdef RequestBody body = self.get_body()
        body.lose()
        body.state = BODY_LOST
        return 0

    cdef int release(self) except -1:
        """Cut the ties to the connection; the exchange can only say that the client is gone afterwards."""
        cdef bint lost = self.stream is None or self.stream.is_lost()
        if self.body is not None or self.head.has_body:
            self.get_body().lose()
            self.body.close()
        self.client_lost = self.response_state < RESPONSE_DONE or lost
        if self.response_state < RESPONSE_DONE:
            if self.session is not None:
                self.session.handshake_lost()
            if self.response_state == NO_RESPONSE:
                self.status = CLIENT_CLOSED
            if lost or self.response_state != NO_RESPONSE:
                self.log()  # else the protocol refuses the request, and logs its own response
            self.response_state = RESPONSE_FAILED
        self.stream = None
        return 0

    cdef int log(self) except -1:
        """Count the response, and write it to the access log."""
        return self.state.add_response(
            self.group, self.client, self.head, self.status, 0 if self.bodyless else self.body_size, self.began,
            self.response_headers,
        )

    @property
    def complete(self):
        return self.response_state == RESPONSE_DONE

    @property
    def started(self):
        """Has the application begun a response?"""
        return self.response_state != NO_RESPONSE

    @property
    def lost(self):
        return self.client_lost or (self.stream is not None and self.stream.is_lost())

    # What sending a file needs; see atlas/gateway/files.py.

    def open_body(self, long long size, bint more):
        """Send the head of a body whose next ``size`` bytes the caller writes itself; False if none is to be sent."""
        self.check_sendable("a file")
        if self.response_state == HEAD_HELD:
            self.send_head(not more, size)
        elif self.response_state == BODY_OPEN:
            self.check_length(size, more)
        else:
            raise RuntimeError("expected http.response.start before a file is sent")
        self.response_state = FILE_OPEN
        self.body_size += size
        self.stream.begin_data(size)
        return not self.bodyless

    def close_body(self, long long size, bint more):
        """The counterpart of :meth:`open_body`, when those bytes have left."""
        self.check_sendable("the end of a file")
        self.response_state = BODY_OPEN
        self.stream.end_data(size, not more)
        self.end_piece(size, more)

    def write(self, bytes data not None):
        """Send some of the bytes that :meth:`open_body` announced."""
        self.check_sendable("a piece of a file")
        self.stream.write_data(data)

    async def drain(self):
        """Wait until everything that was sent has left the process; raises ClientDisconnected."""
        if self.stream is not None:
            self.stream.flush()
        while self.stream is not None and not self.stream.is_flushed() and not self.stream.is_lost():
            await self.wait_writable()
        if self.stream is None or self.stream.is_lost():
            raise ClientDisconnected(self.connection.writer.loss())

    @property
    def socket_fd(self):
        """The plain socket's descriptor, for sendfile(2), good until ``lost``; -1 where there is none."""
        return self.stream.socket_fd() if self.stream is not None else -1
