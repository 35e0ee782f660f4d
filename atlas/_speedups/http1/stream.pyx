"""Responses as bytes of HTTP/1: status line and fields, framing, chunks.

Names and values are checked while they are copied, so that no application can split a response by what its own users
typed (RFC 9110, section 5.5; RFC 9112, section 11.1). Names go out as the application spelled them. The fields about
connection and framing are the server's: transfer-encoding is not copied, and connection only when it lists more than
close and keep-alive.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE

from atlas._speedups.buffers.byte_buffers cimport WriteBuffer
from atlas._speedups.buffers.connection cimport Protocol
from atlas._speedups.buffers.socket_writer cimport WRITER_BLOCKED, SocketWriter
from atlas._speedups.http.body_pace cimport body_deadline, start_pace
from atlas._speedups.http.characters cimport FIELD_VALUE, TOKEN, same_token
from atlas._speedups.http.exchange cimport HEAD_HELD, Exchange
from atlas._speedups.http.response_stream cimport FieldLine, HeadFacts, ResponseStream, Session
from atlas._speedups.http.server_state cimport ServerState
from atlas._speedups.http1.framing cimport CHUNKED, BY_LENGTH, NO_BODY, UNTIL_CLOSE, parse_length, response_framing
from atlas._speedups.websocket.protocol cimport WebSocketProtocol

from atlas.errors import ProtocolError
from atlas.reasons import REASON_PHRASES

# The status lines, made once for every status of three digits.
cdef list STATUS_LINES = [
    f"HTTP/1.1 {status} {REASON_PHRASES.get(status, '')}\r\n".encode() for status in range(1000)
]


cdef int write_status(WriteBuffer out, int status) except -1:
    """Write the status line. Raises ValueError for a status that hasn't three digits.

    A client of HTTP/1.0 is answered with the version 1.1 as well: RFC 9112, section 2.3 asks for the server's own.
    """
    if not 100 <= status <= 999:
        raise ValueError(f"expected a status of three digits, got {status}")
    return out.append_bytes(<bytes>STATUS_LINES[status])


cdef int refuse_name(object name) except -1:
    if type(name) is not bytes:
        raise TypeError(f"expected a header name in bytes, got {name!r}")
    raise ValueError(f"expected a header name that is a token (RFC 9110, section 5.6.2), got {name!r}")


cdef int refuse_value(object name, object value) except -1:
    if type(value) is not bytes:
        raise TypeError(f"expected the value of header {name!r} in bytes, got {value!r}")
    raise ValueError(f"expected a value of header {name!r} without control characters, got {value!r}")


cdef int write_name(WriteBuffer out, bytes name) except -1:
    """Copy a name, checking it; ``out`` has room for it and for what follows."""
    cdef const unsigned char* data = <const unsigned char*>PyBytes_AS_STRING(name)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(name)
    cdef char* into = out.data + out.size
    cdef Py_ssize_t i
    if size == 0:
        return refuse_name(name)
    for i in range(size):
        if not TOKEN[data[i]]:
            return refuse_name(name)
        into[i] = <char>data[i]
    into[size] = b":"
    into[size + 1] = b" "
    out.size += size + 2
    return 0


cdef int write_value(WriteBuffer out, bytes name, bytes value) except -1:
    cdef const unsigned char* data = <const unsigned char*>PyBytes_AS_STRING(value)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(value)
    cdef char* into = out.data + out.size
    cdef Py_ssize_t i
    for i in range(size):
        if not FIELD_VALUE[data[i]]:
            return refuse_value(name, value)
        into[i] = <char>data[i]
    into[size] = b"\r"
    into[size + 1] = b"\n"
    out.size += size + 2
    return 0


cdef int read_length(HeadFacts* facts, bytes value) except -1:
    if facts.has_length:
        raise ValueError("expected one content-length, got two")
    facts.length = parse_length(PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value))
    if facts.length < 0:
        raise ValueError(f"expected a content-length that is one plain number, got {value!r}")
    facts.has_length = True
    return 0


cdef bint keeps_connection(bytes value, HeadFacts* facts) except -1:
    """Whether the connection goes on is the server's decision; the other options of a connection field are passed on."""
    cdef set options = {option.strip() for option in value.split(b",")}
    if b"close" in options:
        facts.close = True
    return bool(options - {b"close", b"keep-alive", b""}) and not facts.close


cdef bint keeps_field(bytes name, bytes value, int status, HeadFacts* facts) except -1:
    """Note what a field says about framing and connection. Is it to be written as well?"""
    cdef const char* data = PyBytes_AS_STRING(name)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(name)
    cdef const char* text = PyBytes_AS_STRING(value)
    cdef Py_ssize_t text_size = PyBytes_GET_SIZE(value)
    if size == 14 and same_token(data, size, b"content-length", 14):
        read_length(facts, value)
        # RFC 9110, section 8.6: never in a 1xx or 204 response.
        return status >= 200 and status != 204
    if size == 17 and same_token(data, size, b"transfer-encoding", 17):
        if not same_token(text, text_size, b"chunked", 7):
            raise ValueError(f"expected no transfer-encoding but chunked, got {value!r}")
        facts.has_transfer_encoding = True
        return False
    if size == 10 and same_token(data, size, b"connection", 10):
        return keeps_connection(value.lower(), facts)
    if size == 4 and same_token(data, size, b"date", 4):
        facts.has_date = True
    elif size == 6 and same_token(data, size, b"server", 6):
        facts.has_server = True
    return True


cdef int write_field(WriteBuffer out, object name, object value, int status, HeadFacts* facts) except -1:
    cdef Py_ssize_t start = out.size
    cdef Py_ssize_t size
    if type(name) is not bytes:
        return refuse_name(name)
    if type(value) is not bytes:
        return refuse_value(name, value)
    size = PyBytes_GET_SIZE(<bytes>name)
    out.reserve(size + PyBytes_GET_SIZE(<bytes>value) + 4)
    write_name(out, <bytes>name)
    write_value(out, <bytes>name, <bytes>value)
    if size <= 17 and not keeps_field(<bytes>name, <bytes>value, status, facts):
        out.size = start
    return 0


cdef int write_fields(WriteBuffer out, list pairs, int status, HeadFacts* facts) except -1:
    """Write fields as :func:`field_pairs` gave them.

    Raises TypeError or ValueError and may leave a part of them in ``out``: the caller cuts it back.
    """
    cdef tuple pair
    facts.has_length = facts.has_transfer_encoding = facts.has_date = facts.has_server = facts.close = False
    facts.length = 0
    for pair in pairs:
        write_field(out, pair[0], pair[1], status, facts)
    if facts.has_length and facts.has_transfer_encoding:
        raise ValueError("expected content-length or transfer-encoding, got both")
    return 0


cdef int write_trailers(WriteBuffer out, list pairs) except -1:
    """Write trailer fields. RFC 9110, section 6.5.1: none that frames the message may be among them."""
    cdef HeadFacts facts
    write_fields(out, pairs, 200, &facts)
    if facts.has_length or facts.has_transfer_encoding or facts.close:
        raise ValueError("expected trailers without content-length, transfer-encoding and connection")
    return 0


cdef int write_refusal(Connection connection, ServerState state, object error, tuple line) except -1:
    """Write the whole response to a request that can't be parsed. ``line``: its method and target, as far as known."""
    cdef WriteBuffer out = connection.writer.buffer()
    cdef HeadFacts facts
    cdef str reason = error.reason
    cdef bytes body = f"{reason[:1].upper()}{reason[1:]}.\n".encode()
    write_status(out, error.status)
    write_fields(
        out,
        [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(body))],
        error.status,
        &facts,
    )
    state.write_own_lines(out, True, True)
    out.append(b"connection: close\r\n\r\n", 21)
    out.append_bytes(body)
    return state.add_refusal(connection.client, line[0], line[1], error.status, len(body))


cdef bint answer_by_server(Exchange exchange, ServerState state) except -1:
    """Does the server answer the request, without the application?"""
    if exchange.head.target == b"*" and state.answers_asterisk:
        exchange.respond(204, [], b"")  # RFC 9110, section 9.3.7: it is about the server as a whole
    elif 0 < state.limit_concurrency <= state.in_work:
        refuse_for_load(exchange, state)
    else:
        return False
    return True


cdef int refuse_for_load(Exchange exchange, ServerState state) except -1:
    """Respond to a request that is one too many in work."""
    error = ProtocolError(503, f"{state.in_work} requests in work", "--limit-concurrency")
    state.events.on_request_refused(error, exchange.connection.client)
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"retry-after", b"1")]
    exchange.respond(503, headers, b"Service Unavailable\n")
    return 0


cdef class Http1ProtocolBase(Protocol):
    """What a stream asks of the protocol whose connection it writes to. Interface; :class:`Http1Protocol` is one."""

    cdef int drain(self) except -1:
        return self.exchange.drain() if self.exchange is not None else 0

    cdef bint is_reusable(self) noexcept:
        """May the connection carry another request after this response? Asked when its head is written."""
        return False

    cdef int response_done(self) except -1:
        """The response is whole."""
        raise NotImplementedError

    cdef int response_failed(self) except -1:
        """The response will never be whole."""
        raise NotImplementedError

    cdef int want_body(self) except -1:
        """The application waits for more of the request's body."""
        raise NotImplementedError

    cdef int body_taken(self, Py_ssize_t size) except -1:
        """The application has received ``size`` bytes of the body."""
        raise NotImplementedError

    cdef int switch_to(self, Protocol protocol) except -1:
        """Let another protocol take the connection over; the head that says so is written."""
        raise NotImplementedError


cdef Http1Stream borrow_stream(Http1ProtocolBase protocol):
    """A stream for an exchange on the connection of ``protocol``."""
    cdef ServerState state = protocol.server_state
    cdef Http1Stream stream
    if state.stream is None:
        stream = Http1Stream.__new__(Http1Stream)
    else:
        stream = <Http1Stream?>state.stream
        state.stream = None
    stream.protocol = protocol
    stream.connection = protocol.connection
    stream.writer = protocol.connection.writer
    stream.close_after = stream.continue_due = False
    return stream


cdef int return_stream(Http1Stream stream) except -1:
    """The exchange is over. One stream is kept: most exchanges are over before another one begins."""
    cdef ServerState state = stream.protocol.server_state
    stream.protocol = stream.connection = stream.writer = None
    state.stream = stream
    return 0


@cython.final
cdef class Http1Stream(ResponseStream):
    """A response as bytes of HTTP/1. A protocol borrows a stream for each exchange."""

    def __cinit__(self):
        self.keeps_heads = True

    # The request's body.

    cdef int expect_body(self, Py_ssize_t size) except -1:
        """Set the deadline of a body of which ``size`` bytes came and more is to come.

        Where there was none, the client has waited for the server, and has its time anew. A client may also wait for
        what the application responds to the first of it: there is no rate once the response has begun.
        """
        cdef ServerState state = self.protocol.server_state
        if self.connection.deadline == 0:
            start_pace(&self.pace)
        self.pace.size += size
        if self.protocol.exchange.response_state > HEAD_HELD:
            self.pace.since = 0
        self.connection.deadline = body_deadline(&self.pace, state.timeout_body, state.min_body_rate)
        return 0

    # The head.

    cdef int hold_head(self, int status, FieldLine first, list fields, HeadFacts* facts) except -1:
        cdef WriteBuffer out = self.writer.buffer()
        cdef Py_ssize_t mark = out.size
        try:
            write_status(out, status)
            if first is not None:
                out.append_bytes(first.line)
            if fields is not None:
                write_fields(out, fields, status, facts)
            else:
                facts[0] = HeadFacts(False, 0, False, False, False, False)
        except BaseException:
            out.size = mark
            raise
        out.held = mark
        return 0

    cdef int hold_length(self, HeadFacts* facts, long long size) except -1:
        cdef WriteBuffer out = self.writer.buffer()
        out.append(b"content-length: ", 16)
        out.append_decimal(size)
        out.append(b"\r\n", 2)
        facts.has_length = True
        facts.length = size
        return 0

    cdef int hold_encoded(self, bytes head) except -1:
        cdef WriteBuffer out = self.writer.buffer()
        out.held = out.size
        return out.append_bytes(head)

    cdef bytes held_head(self):
        cdef WriteBuffer out = self.writer.buffer()
        return PyBytes_FromStringAndSize(out.data + out.held, out.size - out.held)

    cdef int drop_head(self) except -1:
        cdef WriteBuffer out = self.writer.buffer()
        out.size = out.held
        out.held = -1
        return 0

    cdef int send_head(
        self, int status, HeadFacts* facts, bint bodyless, bint trailers, bint whole, long long size
    ) except -1:
        cdef bint http_10 = self.protocol.exchange.head.http_10
        self.trailers = trailers and not http_10
        self.framing = response_framing(bodyless, http_10, facts.has_length, whole, self.trailers)
        self.close_after = facts.close or self.framing == UNTIL_CLOSE or not self.protocol.is_reusable()
        self.write_framing(status, facts, bodyless, whole, size)
        self.writer.out.held = -1
        self.continue_due = False
        return 0

    cdef int write_framing(
        self, int status, HeadFacts* facts, bint bodyless, bint whole, long long size
    ) except -1:
        """Write the fields of a head that are the server's."""
        cdef WriteBuffer out = self.writer.buffer()
        if not facts.has_length:
            # For HEAD it is the length that GET would have had, if the application sent a body at all.
            if self.framing == BY_LENGTH or (bodyless and whole and size and status != 204 and status != 304):
                self.hold_length(facts, size)
            elif self.framing == CHUNKED:
                out.append(b"transfer-encoding: chunked\r\n", 28)
        self.protocol.server_state.write_own_lines(out, not facts.has_date, not facts.has_server)
        if self.close_after:
            out.append(b"connection: close\r\n\r\n", 21)
        elif self.protocol.exchange.head.http_10:
            out.append(b"connection: keep-alive\r\n\r\n", 26)
        else:
            out.append(b"\r\n", 2)
        return 0

    # The body.

    cdef int send_data(self, bytes data, bint last) except -1:
        cdef Py_ssize_t size = PyBytes_GET_SIZE(data)
        if size and self.framing != NO_BODY:
            self.begin_data(size)
            self.writer.write_large(data)
        return self.end_data(size, last)

    cdef int begin_data(self, long long size) except -1:
        """RFC 9112, section 7.1. An empty chunk would end the body: none is written."""
        cdef WriteBuffer out
        if size and self.framing == CHUNKED:
            out = self.writer.buffer()
            out.append_hex(size)
            out.append(b"\r\n", 2)
        return 0

    cdef int write_data(self, bytes data) except -1:
        self.writer.write_large(data)
        return self.writer.written(False)

    cdef int end_data(self, long long size, bint last) except -1:
        cdef WriteBuffer out
        if self.framing == CHUNKED:
            out = self.writer.buffer()
            if size:
                out.append(b"\r\n", 2)
            if last:
                out.append(b"0\r\n\r\n", 3 if self.trailers else 5)
        return self.writer.written(False) if not last or self.trailers else 0

    cdef int send_trailers(self, list fields, bint last) except -1:
        cdef WriteBuffer out = self.writer.buffer()
        cdef Py_ssize_t mark = out.size
        if self.framing != CHUNKED:
            return 0
        try:
            write_trailers(out, fields)
        except BaseException:
            out.size = mark
            raise
        return out.append(b"\r\n", 2) if last else 0

    cdef int send_interim(self, int status, list fields) except -1:
        cdef WriteBuffer out = self.writer.buffer()
        cdef bytes held = None
        cdef Py_ssize_t mark
        if out.held >= 0:  # it goes in front of the head that is held
            held = self.held_head()
            self.drop_head()
        mark = out.size
        try:
            write_status(out, status)
            write_trailers(out, fields)
            out.append(b"\r\n", 2)
        except BaseException:
            out.size = mark
            raise
        finally:
            if held is not None:
                self.hold_encoded(held)
        return self.writer.written(True)

    cdef int open_session(self, Session session, list fields) except -1:
        """RFC 9110, section 15.2.2."""
        cdef WriteBuffer out = self.writer.buffer()
        cdef Py_ssize_t mark = out.size
        cdef HeadFacts facts
        try:
            write_status(out, 101)
            write_fields(out, fields, 101, &facts)
        except BaseException:
            out.size = mark
            raise
        self.protocol.server_state.write_own_lines(out, not facts.has_date, not facts.has_server)
        out.append(b"\r\n", 2)
        self.writer.written(True)
        return self.protocol.switch_to(WebSocketProtocol.__new__(WebSocketProtocol, session))

    # What the protocol decides.

    cdef int response_done(self) except -1:
        self.writer.written(True)
        return self.protocol.response_done()

    cdef int response_failed(self) except -1:
        return self.protocol.response_failed()

    cdef int reset(self) except -1:
        return self.writer.abort()

    cdef int want_body(self) except -1:
        return self.protocol.want_body()

    cdef int body_taken(self, Py_ssize_t size) except -1:
        return self.protocol.body_taken(size)

    cdef bint is_flushed(self) noexcept:
        return self.writer.state != WRITER_BLOCKED

    cdef int socket_fd(self) noexcept:
        return self.writer.fd
