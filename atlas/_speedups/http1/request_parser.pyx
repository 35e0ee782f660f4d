"""Parses requests: bytes to heads and body pieces, with every check and limit. Sources: RFC 9112, RFC 9110.

httptools (llhttp) parses and has the last word: what it refuses is refused. This module finds where a head and a body
end, so that llhttp is only given bytes of one message, and makes the checks that llhttp leaves out: bare LF, obs-fold,
control characters, request line and target, one Host, one Content-Length, Transfer-Encoding, Expect, trailers, and the
limits. A head is parsed when it is whole: one that arrives byte by byte takes the same path as one that comes in one
packet. The fields are cut out of the head here, in one pass over the lines that were found anyway; a callback from
llhttp for each of them would take three times as long.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.string cimport memchr

from atlas._speedups.http.characters cimport FIELD_VALUE, TOKEN, same_token
from atlas._speedups.http.request_head cimport (
    ABSOLUTE_FORM, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, EXPECT, HOST, TE, TRANSFER_ENCODING, UPGRADE, Limits,
    RequestHead, RequestLine, field_name, is_forwarding, is_host, read_request_line
)
from atlas._speedups.http.server_state cimport ServerState
from atlas._speedups.http1.framing cimport (
    BY_LENGTH, CHUNKED, CHUNKS_DONE, NO_BODY, Framing, request_framing, scan_chunks, start_chunks
)

from httptools import HttpParserError, HttpParserInvalidMethodError, HttpParserUpgrade, HttpRequestParser

from atlas.errors import ProtocolError

cdef enum:
    MAX_POOLED = 64     # parsers
    HTAB = 9
    LF = 10
    CR = 13
    COLON = 58
    SPACE = 32


cdef int refuse(int status, str reason, str flag=None) except -1:
    raise ProtocolError(status, reason, flag)


cdef RequestParser borrow_parser(ServerState state):
    """A parser that is ready for a message."""
    cdef object parser = state.parser
    if parser is not None:
        state.parser = None
        return <RequestParser?>parser
    return <RequestParser?>state.parsers.pop() if state.parsers else RequestParser(state.limits)


cdef int return_parser(ServerState state, RequestParser parser) except -1:
    """Back to the pool, if its message was parsed to the end; else llhttp is somewhere in the middle."""
    if parser.state != MESSAGE_PARSED or len(state.parsers) >= MAX_POOLED:
        parser.close()
        return 0
    parser.reset()
    if state.parser is None:
        state.parser = parser
    else:
        state.parsers.append(parser)
    return 0


cdef bint expects_continue(bytes value) except -1:
    """Does this Expect field ask for 100 Continue (RFC 9110, section 10.1.1)? Refuses any other expectation."""
    cdef bint expected = False
    for element in value.split(b","):
        element = element.strip(b" \t")
        if element:  # section 5.6.1.2: empty elements of a list are ignored
            if not same_token(PyBytes_AS_STRING(element), PyBytes_GET_SIZE(element), b"100-continue", 12):
                return refuse(417, "an expectation other than 100-continue")
            expected = True
    return expected


cdef bint lists_trailers(bytes value) except -1:
    """Does this TE field say that the client takes trailers (RFC 9110, section 10.1.4)?"""
    return any([element.strip().lower() == b"trailers" for element in value.split(b",")])


@cython.final
cdef class Window:
    """A buffer over memory that it doesn't own: llhttp reads where the socket was read to."""

    def __getbuffer__(self, Py_buffer* view, int flags):
        # Field by field: PyBuffer_FillInfo would write over a reference that Cython keeps in ``obj``, and leak it.
        view.obj = self
        view.buf = self.data
        view.len = self.size
        view.itemsize = 1
        view.readonly = 1
        view.ndim = 1
        view.format = NULL
        view.shape = &self.size
        view.strides = &view.itemsize
        view.suboffsets = NULL
        view.internal = NULL


@cython.final
cdef class RequestParser:
    """Bytes in, a :class:`RequestHead` and body pieces out, one message at a time.

    :param limits: the sizes that a head and a body may have.

    A message that breaks a rule raises :class:`ProtocolError`; the parser is of no use after that.
    """

    def __cinit__(self, Limits limits not None):
        self.limits = limits
        self.window = Window()
        self.parser = HttpRequestParser(self)
        # Whether a connection goes on after a message is the protocol's decision; llhttp parses on in any case.
        self.parser.set_dangerous_leniencies(lenient_keep_alive=True)
        self.feed_parser = self.parser.feed_data
        self.reset()

    cdef void reset(self) noexcept:
        """Be ready for the next message."""
        self.state = READING_HEAD
        self.head = None
        self.scanned = self.checked = self.line_start = 0
        self.lines = 0
        self.skipped_empty_line = False
        self.pieces = None
        self.piece_bytes = self.discarded = 0

    cdef Py_ssize_t feed(self, char* data, Py_ssize_t size) except -1:
        """Read what belongs to the current message, and return how many bytes that was.

        0 while a head isn't whole: the same bytes, and more, are expected again. ``state`` tells what came of it.
        """
        cdef Py_ssize_t taken
        if self.state == READING_HEAD:
            taken = self.find_head(data, size)
            if taken and self.lines:
                self.read_head(data, taken)
            return taken
        if self.state == READING_LENGTH:
            taken = size if size < self.left else <Py_ssize_t>self.left
            self.left -= taken
            self.parse(data, taken)
            if self.left == 0:
                self.state = MESSAGE_PARSED
            return taken
        if self.state == READING_CHUNKS:
            taken = scan_chunks(&self.chunks, data, size, self.limits.body)
            if self.chunks.body_end:
                self.parse(data, self.chunks.body_end)
            if self.chunks.state == CHUNKS_DONE:
                self.parse(b"\r\n", 2)  # in place of the trailers, which llhttp isn't shown
                self.state = MESSAGE_PARSED
            return taken
        return 0

    cdef list take_pieces(self):
        cdef list pieces = self.pieces
        self.pieces = None
        self.piece_bytes = 0
        return pieces

    # A head.

    cdef Py_ssize_t find_head(self, char* data, Py_ssize_t size) except -1:
        """The size of the head that ``data`` begins with, 0 if its end isn't there yet. Keeps the limits."""
        cdef Py_ssize_t at
        cdef char* newline
        while True:
            newline = <char*>memchr(data + self.scanned, LF, size - self.scanned)
            if newline is NULL:
                self.scanned = size
                return self.check_unfinished(data, size)
            at = newline - data
            if at == 0 or data[at - 1] != CR:
                return refuse(400, "a line that ends in a bare LF")
            if at - 1 > self.line_start:
                self.line_ends(data, at - 1 - self.line_start)
                self.scanned = self.line_start = self.checked = at + 1
                continue
            if self.lines == 0:
                # RFC 9112, section 2.2: "ignore at least one empty line (CRLF) received prior to the request-line".
                if self.skipped_empty_line:
                    return refuse(400, "more than one empty line before a request line")
                self.skipped_empty_line = True
                self.scanned = self.line_start = self.checked = 0
                return 2
            if at + 1 > self.limits.head:
                return refuse(431, f"a request head of more than {self.limits.head} bytes", "--limit-request-head")
            return at + 1

    cdef int line_ends(self, char* data, Py_ssize_t length) except -1:
        """A line of the head is whole, ``length`` bytes without its CRLF.

        Tabs at its end become spaces: llhttp takes only those for white space everywhere.
        """
        cdef Py_ssize_t last = self.line_start + length - 1
        self.lines += 1
        if self.lines == 1:
            self.first_line_size = length
            if length > self.limits.request_line:
                return refuse(
                    414, f"a request line of more than {self.limits.request_line} bytes", "--limit-request-line"
                )
            return 0
        if data[self.line_start] == SPACE or data[self.line_start] == HTAB:
            return refuse(400, "a header line that begins with white space")
        while data[last] == SPACE or data[last] == HTAB:
            data[last] = SPACE
            last -= 1
        if length > self.limits.field:
            return refuse(431, f"a header field of more than {self.limits.field} bytes", "--limit-request-field")
        if self.lines - 1 > self.limits.fields:
            return refuse(431, f"more than {self.limits.fields} header fields", "--limit-request-fields")
        return 0

    cdef int check_unfinished(self, char* data, Py_ssize_t size) except -1:
        """Refuse early what can't become a head: a peer that speaks another protocol shouldn't wait for a time-out."""
        cdef Py_ssize_t at
        cdef unsigned char c
        cdef bint in_method = self.lines == 0 and self.checked == self.line_start
        for at in range(self.checked, size):
            c = <unsigned char>data[at]
            if c == CR:
                if at + 1 < size:
                    return refuse(400, "a bare CR in a request head")
                size = at  # it may be followed by its LF in the next packet: look at it again
                break
            if in_method and c == SPACE and at > self.line_start:
                in_method = False
            if not FIELD_VALUE[c] or (in_method and not TOKEN[c]):
                return refuse(400, "what came is not an HTTP request")
        if not in_method:
            self.checked = size
        if self.lines == 0:
            if size - self.line_start > self.limits.request_line:
                self.line_ends(data, size - self.line_start)
        elif size - self.line_start > self.limits.field:
            self.line_ends(data, size - self.line_start)
        if size > self.limits.head:
            return refuse(431, f"a request head of more than {self.limits.head} bytes", "--limit-request-head")
        return 0

    cdef int read_head(self, char* data, Py_ssize_t size) except -1:
        """``data`` is a whole head: parse and check it."""
        cdef RequestHead head
        head = RequestHead.__new__(RequestHead)
        head.headers = []
        head.method = read_request_line(&self.line, data, self.first_line_size)
        head.http_10 = self.line.http_10
        self.head = head
        self.body_fields.content_lengths = self.body_fields.transfer_encodings = 0
        self.hosts = 0
        self.content_length = self.transfer_encoding = self.host = self.upgrade = None
        self.connection_close = self.connection_keep_alive = self.connection_upgrade = False
        self.set_target(data)
        self.read_fields(data, self.first_line_size + 2, size - 2)
        self.finish_head()
        self.upgraded = self.parsed = False
        self.parse(data, size)
        if not self.parsed:
            # llhttp found no end where there is one: the two disagree, and nothing after that can be trusted.
            self.state = READING_HEAD
            return refuse(400, "a malformed request head")
        if self.upgraded and self.state != MESSAGE_PARSED:
            return self.restart_parser()
        return 0

    cdef int restart_parser(self) except -1:
        """A request asks for an upgrade and has a body: llhttp takes the message to end with its head. Give it a head
        without the upgrade, so that it parses the body."""
        cdef bytes head = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
        if self.state == READING_LENGTH:
            head = b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % self.left
        return self.parse(PyBytes_AS_STRING(head), PyBytes_GET_SIZE(head))

    cdef int finish_head(self) except -1:
        """All fields are there: what do they say about host, body and connection?"""
        cdef RequestHead head = self.head
        cdef Framing framing = request_framing(
            head.http_10, self.body_fields, self.content_length, self.transfer_encoding, &head.content_length
        )
        if self.hosts == 0:
            if not head.http_10:
                return refuse(400, "an HTTP/1.1 request without Host")
        elif self.hosts > 1:
            return refuse(400, "more than one Host")
        elif not is_host(PyBytes_AS_STRING(self.host), PyBytes_GET_SIZE(self.host)):
            return refuse(400, "a Host that is not host[:port]")
        if self.line.form == ABSOLUTE_FORM:
            self.set_authority(head.target)
        if head.http_10:
            head.keep_alive = self.connection_keep_alive and not self.connection_close
            head.expects_continue = False  # RFC 9110, section 10.1.1: a 1.0 client can't have meant it
        else:
            head.keep_alive = not self.connection_close
        if self.connection_upgrade:
            head.upgrade = self.upgrade
        head.has_body = framing != NO_BODY
        if framing == BY_LENGTH:
            if self.limits.body and head.content_length > self.limits.body:
                return refuse(
                    413, f"a request body of more than {self.limits.body} bytes", "--limit-request-body"
                )
            self.left = head.content_length
            self.state = READING_LENGTH
        elif framing == CHUNKED:
            head.content_length = -1
            start_chunks(&self.chunks)
            self.state = READING_CHUNKS
        else:
            self.state = MESSAGE_PARSED
        return 0

    cdef int set_target(self, const char* data) except -1:
        """Cut the target into path and query; the request line has told where."""
        cdef RequestHead head = self.head
        cdef RequestLine* line = &self.line
        cdef Py_ssize_t end = line.target + line.target_size
        head.target = PyBytes_FromStringAndSize(data + line.target, line.target_size)
        head.escaped = line.escaped
        head.query_string = b""
        if line.path == line.target and line.query == end:
            head.raw_path = head.target
            return 0
        head.raw_path = (
            PyBytes_FromStringAndSize(data + line.path, line.query - line.path) if line.query > line.path else b"/"
        )
        if line.query < end:
            head.query_string = PyBytes_FromStringAndSize(data + line.query + 1, end - line.query - 1)
        return 0

    cdef int set_authority(self, bytes target) except -1:
        """RFC 9112, section 3.2.2: the authority of an absolute-form replaces what Host said."""
        cdef RequestHead head = self.head
        cdef Py_ssize_t start = target.index(b"//") + 2
        cdef tuple field = (HOST, target[start : self.line.path - self.line.target])
        for at in range(len(head.headers)):
            if (<tuple>head.headers[at])[0] is HOST:
                head.headers[at] = field
                return 0
        head.headers.insert(0, field)
        return 0

    # The fields.

    cdef int read_fields(self, const char* data, Py_ssize_t at, Py_ssize_t end) except -1:
        """Cut out the fields in the lines from ``at`` to ``end``; each of them ends in CRLF."""
        cdef list headers = self.head.headers
        cdef bytes name
        cdef bytes value
        cdef Py_ssize_t start
        cdef Py_ssize_t stop
        while at < end:
            start = at
            while TOKEN[<unsigned char>data[at]]:
                at += 1
            if at == start or data[at] != COLON:
                return refuse(400, "a header line that does not begin with a name and a colon")
            name = field_name(data + start, at - start)
            start = at + 1
            at = <const char*>memchr(data + start, LF, end - start) - data + 1
            stop = at - 2
            while start < stop and (data[start] == SPACE or data[start] == HTAB):
                start += 1
            while start < stop and (data[stop - 1] == SPACE or data[stop - 1] == HTAB):
                stop -= 1
            value = PyBytes_FromStringAndSize(data + start, stop - start)
            headers.append((name, value))
            self.special_field(name, value)
        return 0

    cdef int special_field(self, bytes name, bytes value) except -1:
        """A field that says something about the message or the connection."""
        if name is HOST:
            self.hosts += 1
            self.host = value
        elif name is CONNECTION:
            return self.read_connection(value)
        elif name is CONTENT_LENGTH:
            self.body_fields.content_lengths += 1
            self.content_length = value
        elif name is TRANSFER_ENCODING:
            self.body_fields.transfer_encodings += 1
            if self.transfer_encoding is not None:  # RFC 9110, section 5.3: fields of one name are one list
                value = self.transfer_encoding + b", " + value
            self.transfer_encoding = value
        elif name is UPGRADE:
            self.upgrade = value
        elif name is EXPECT:
            self.head.expects_continue = expects_continue(value) or self.head.expects_continue
        elif name is TE:
            self.head.accepts_trailers = self.head.accepts_trailers or lists_trailers(value)
        elif name is CONTENT_ENCODING:
            self.head.has_coding = True
        elif is_forwarding(name):
            self.head.forwarded = True
        return 0

    cdef int read_connection(self, bytes value) except -1:
        """The options in Connection that concern us (RFC 9110, section 7.6.1)."""
        cdef const char* data = PyBytes_AS_STRING(value)
        cdef Py_ssize_t size = PyBytes_GET_SIZE(value)
        cdef Py_ssize_t start = 0
        cdef Py_ssize_t end
        while start < size:
            if data[start] == 44 or data[start] == SPACE or data[start] == HTAB:
                start += 1
                continue
            end = start
            while end < size and TOKEN[<unsigned char>data[end]]:
                end += 1
            if end == start:
                return refuse(400, "a Connection that is not a list of tokens")
            if same_token(data + start, end - start, b"close", 5):
                self.connection_close = True
            elif same_token(data + start, end - start, b"keep-alive", 10):
                self.connection_keep_alive = True
            elif same_token(data + start, end - start, b"upgrade", 7):
                self.connection_upgrade = True
            start = end
        return 0

    # llhttp, and what it calls.

    cdef int parse(self, char* data, Py_ssize_t size) except -1:
        """Let llhttp parse these bytes, all of which belong to the current message."""
        cdef object refusal = None
        self.window.data = data
        self.window.size = size
        try:
            self.feed_parser(self.window)
        except HttpParserUpgrade:
            self.upgraded = True  # whether the upgrade is taken is the protocol's decision
        except HttpParserInvalidMethodError:
            refusal = ProtocolError(501, "a method that isn't known here")
        except HttpParserError as error:
            refusal = ProtocolError(400, f"a malformed request: {error}")
        finally:
            self.window.size = 0
        if refusal is not None:
            self.state = READING_HEAD  # llhttp is not at the end of a message: the parser can't be pooled
            raise refusal  # out here, where it has no context: llhttp's errors would keep the parser alive
        return 0

    def close(self):
        """The parser will not be used again: cut the reference cycle with llhttp's."""
        self.parser = self.feed_parser = None

    cdef tuple request_line(self, char* data):
        """(method, target) of a head that was refused before it was whole; ("-", b"-") if there is no such line.

        ``data`` is where the head begins.
        """
        cdef RequestLine line
        if self.head is not None:
            return self.head.method, self.head.target
        if self.lines:
            try:
                method = read_request_line(&line, data, self.first_line_size)
            except ProtocolError:
                return "-", b"-"
            return method, PyBytes_FromStringAndSize(data + line.target, line.target_size)
        return "-", b"-"

    def on_headers_complete(self):
        self.parsed = True

    def on_body(self, bytes piece):
        if self.pieces is None:
            self.pieces = [piece]
        else:
            self.pieces.append(piece)
        self.piece_bytes += PyBytes_GET_SIZE(piece)
