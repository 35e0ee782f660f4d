"""One WebSocket, from its handshake to its end: what Exchange is to a request.

A session begins with the exchange of its handshake; once that is accepted, a :class:`SessionStream` carries its frames.

What comes waits in one queue, which is bounded by messages and by bytes: while it is full nothing is parsed or read. What
is sent waits for the client like a response.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE

from atlas._speedups.buffers.byte_buffers cimport ReceiveBuffer, WriteBuffer, receive_append, receive_clear, receive_consume
from atlas._speedups.buffers.connection cimport READING_ENDED, Connection
from atlas._speedups.http.exchange cimport Exchange
from atlas._speedups.http.response_stream cimport Session
from atlas._speedups.http.server_state cimport ServerState
from atlas._speedups.websocket.deflate cimport DeflateSettings, negotiate
from atlas._speedups.websocket.frames cimport (
    ABNORMAL, BINARY, CLOSE, COMPRESSED, CONTINUATION, FINAL, NO_CODE, PING, PONG, TEXT, MessageReader, close_payload,
    read_close, write_frame_head
)
from atlas._speedups.websocket.handshake cimport read_handshake

from atlas.errors import ClientDisconnected, ProtocolError, WebSocketDisconnected

cdef extern from "Python.h":
    bint PyUnicode_IS_COMPACT_ASCII(object text)
    Py_ssize_t PyUnicode_GET_LENGTH(object text)
    const char* PyUnicode_DATA(object text)

cdef enum:
    QUEUE_BYTES = 262144    # of messages that may wait for the application before reading pauses
    LARGE_PIECE = 16384     # text from this size on is encoded by itself, not copied to what is gathered
    MIN_COMPRESSED = 64     # shorter messages are sent as they are: a packet is hardly shorter for it
    CLOSE_SECONDS = 10      # that a client has to answer a close frame

# The fields of the answer that are the server's.
cdef tuple OWN_FIELDS = (
    b"connection", b"upgrade", b"sec-websocket-accept", b"sec-websocket-extensions", b"sec-websocket-protocol"
)


cdef class SessionStream:
    """What carries the frames of a session. Base class, which writes to a connection."""

    cdef WriteBuffer buffer(self):
        return self.connection.writer.buffer()

    cdef int send_data(self, bytes data) except -1:
        """Send what follows in a frame."""
        return self.connection.writer.write_large(data)

    cdef int written(self) except -1:
        """A frame is whole. Those of one turn leave together."""
        return self.connection.writer.written(False)

    cdef bint is_writable(self) noexcept:
        return self.connection.writer.is_writable()

    cdef bint is_lost(self) noexcept:
        return self.connection.is_lost()

    cdef object wait_writable(self):
        return self.connection.writer.wait_writable()

    cdef int cancel_wait(self, object future) except -1:
        return self.connection.writer.cancel_wait(future)

    cdef str loss(self):
        return self.connection.writer.loss()

    cdef int pause_reading(self) except -1:
        return self.connection.pause_reading()

    cdef int resume_reading(self) except -1:
        return self.connection.resume_reading()

    cdef int set_timeout(self, double seconds) except -1:
        if seconds == 0:
            self.connection.deadline = 0
            return 0
        return self.connection.set_timeout(seconds)

    cdef int finish(self, bint unread) except -1:
        """Close when all that was written has left. ``unread``: the client may still send."""
        raise NotImplementedError


cdef WebSocketSession new_session(Exchange exchange):
    """The session that a request asks for, if ``asks_for_websocket(exchange.head)``. Raises ProtocolError(400 or 426)."""
    cdef WebSocketSession session = WebSocketSession.__new__(WebSocketSession)
    cdef object settings = exchange.state.settings
    session.handshake = read_handshake(exchange.head)
    session.exchange = exchange
    session.gateway = exchange.gateway
    session.server_state = exchange.state
    session.queue = []
    session.max_queue = settings.ws_max_queue
    session.ping_interval = settings.ws_ping_interval or 0
    session.ping_timeout = settings.ws_ping_timeout or 0
    if settings.ws_per_message_deflate:
        session.deflate = negotiate(
            session.handshake.extensions,
            DeflateSettings(
                window_bits=settings.ws_deflate_window_bits, context_takeover=settings.ws_deflate_context_takeover
            ),
        )
    session.reader = MessageReader.__new__(MessageReader, settings.ws_max_size, session.deflate)
    exchange.session = session
    return session


@cython.final
cdef class WebSocketSession(Session):
    """One WebSocket; made by :func:`new_session`."""

    def __init__(self):
        raise TypeError("expected a handshake to make the session")

    def __dealloc__(self):
        receive_clear(&self.received)

    # The handshake.

    cdef int accept(self, object subprotocol, list headers) except -1:
        """Accept the handshake (RFC 6455, section 4.2.2). Raises TypeError or ValueError for what can't be sent."""
        cdef list fields = [(b"connection", b"Upgrade"), (b"upgrade", b"websocket")]
        self.check_unanswered("websocket.accept")
        for name, _ in headers:
            if isinstance(name, bytes) and name.lower() in OWN_FIELDS:
                raise ValueError(f"expected no header {name!r} with websocket.accept: it is the server's (subprotocol=)")
        fields.append((b"sec-websocket-accept", self.handshake.accept_key()))
        if subprotocol is not None:
            if not isinstance(subprotocol, str):
                raise TypeError(f"expected the subprotocol as a str, got {subprotocol!r}")
            fields.append((b"sec-websocket-protocol", subprotocol.encode("latin-1")))
        if self.deflate is not None:
            fields.append((b"sec-websocket-extensions", self.deflate.answer().encode()))
        self.state = OPEN
        try:
            self.exchange.stream.open_session(self, fields + headers)
        except BaseException:
            if self.stream is None:
                self.state = CONNECTING
            raise
        self.exchange.session = None
        if self.stream.connection.reading == READING_ENDED:
            return self.feed_eof()
        return 0

    cdef int handshake_lost(self) except -1:
        return self.end(ABNORMAL, "")

    cdef int deny(self, int status, list headers, bytes body) except -1:
        """Answer the handshake with a response, after which the connection closes: frames may be on their way."""
        self.end(ABNORMAL, "")
        self.exchange.respond(status, [*headers, (b"connection", b"close")], body)
        return 0

    cdef int begin_denial(self, object status, list headers) except -1:
        """The same, with a body that comes in pieces."""
        self.check_unanswered("a response")
        self.exchange.start_response({"status": status, "headers": [*headers, (b"connection", b"close")]})
        self.state = DENYING
        self.closed_by_application = True
        return 0

    cdef int check_unanswered(self, object what) except -1:
        """Raise if the handshake can't be answered (any more)."""
        if self.state != CONNECTING and (self.state != CLOSED or self.closed_by_application):
            raise RuntimeError("expected one answer to the handshake, got a second one")
        return self.check_open(what)

    # What the stream's protocol calls.

    cdef int feed(self, char* data, Py_ssize_t size) except -1:
        """Bytes came; ``data`` is borrowed, and changed."""
        cdef Py_ssize_t taken
        self.alive = True
        if self.state == CLOSED or self.failure is not None:
            return 0
        if self.received.data is not NULL:
            receive_append(&self.received, data, size)
            return 0
        taken = self.parse(data, size)
        if taken < size:
            receive_append(&self.received, data + taken, size - taken)
        if not self.paused and self.is_full():
            self.paused = True
            self.stream.pause_reading()
        return 0

    cdef int feed_eof(self) except -1:
        """The client sends nothing more, and has sent no close frame."""
        if self.state < CLOSED:
            self.end(ABNORMAL, "")
            return self.stream.finish(False)
        return 0

    cdef int check_timeout(self) except -1:
        """The deadline has passed: send a ping, or give up a client that doesn't answer."""
        if self.failure is not None:
            return self.fail(self.failure)
        if self.state == CLOSING:
            self.end(ABNORMAL, "")
            return self.stream.finish(True)
        if self.paused:
            return self.stream.set_timeout(self.ping_interval)  # its pong may be among what isn't read
        if not self.pinging:
            self.pinging = self.ping_timeout > 0
            self.alive = False
            self.send_frame(FINAL | PING, b"")
            return self.stream.set_timeout(self.ping_timeout or self.ping_interval)
        if self.alive:
            self.alive = False  # it is busy with a large message
            return self.stream.set_timeout(self.ping_timeout)
        return self.send_close(SERVER_ERROR, b"\x03\xf3keepalive ping timeout", "keepalive ping timeout")

    cdef int drain(self) except -1:
        """The server stops: tell the client, and the application, at once."""
        if self.state == OPEN:
            self.send_close(SERVICE_RESTART, b"\x03\xf4the server stops", "the server stops")
        return 0

    cdef int lost(self) except -1:
        """The connection is gone."""
        return self.end(ABNORMAL, "")

    # Reading.

    async def wait(self):
        """Wait until a message is there, or the session ends."""
        future = self.server_state.loop.create_future()
        if self.waiters is None:
            self.waiters = [future]
        else:
            self.waiters.append(future)
        try:
            await future
        finally:
            if self.waiters is not None and future in self.waiters:
                self.waiters.remove(future)

    cdef object next_message(self):
        """The next message (str or bytes); None if there is none."""
        cdef object message
        if not self.queue:
            if self.failure is not None:
                self.fail(self.failure)
            return None
        message = self.queue.pop(0)
        self.queued -= len(message)
        if self.paused and 2 * len(self.queue) <= self.max_queue and 2 * self.queued <= QUEUE_BYTES:
            self.parse_received()
        return message

    cdef int parse_received(self) except -1:
        """There is room again: go on with what was received, then read on."""
        cdef Py_ssize_t taken
        while self.received.data is not NULL and not self.is_full() and self.state != CLOSED and self.failure is None:
            taken = self.parse(self.received.data + self.received.start, self.received.end - self.received.start)
            if self.received.data is not NULL:
                receive_consume(&self.received, taken)
        if not self.is_full() and self.state != CLOSED and self.failure is None:
            self.paused = False
            self.stream.resume_reading()
        return 0

    cdef bint is_full(self) noexcept:
        return len(self.queue) >= self.max_queue or self.queued >= QUEUE_BYTES

    cdef Py_ssize_t parse(self, char* data, Py_ssize_t size) except -1:
        """Read frames until the queue is full; returns how many bytes were used."""
        cdef Py_ssize_t at = 0
        try:
            while at < size and not self.is_full():
                at += self.reader.feed(data + at, size - at)
                if self.reader.ready != CONTINUATION:
                    self.take_item()
                    if self.state == CLOSED:
                        return size
        except ProtocolError as error:
            if self.queue:
                return self.fail_later(error, size)
            self.fail(error)
            return size
        return at

    cdef Py_ssize_t fail_later(self, object error, Py_ssize_t size) except -1:
        """The messages before a fault are good: the application receives and answers them first."""
        self.failure = error
        self.paused = True
        self.stream.pause_reading()
        self.stream.set_timeout(CLOSE_SECONDS)
        return size

    cdef int take_item(self) except -1:
        """The reader has a message, or a control frame."""
        cdef int opcode = self.reader.ready
        cdef object value = self.reader.take()
        if opcode == TEXT or opcode == BINARY:
            if self.state == OPEN:
                self.queue.append(value)
                self.queued += len(value)
                if self.waiters is not None:
                    self.wake()
        elif opcode == PING:
            # RFC 6455, section 5.5.3: only the latest one has to be answered, where the client doesn't read.
            if self.state == OPEN and self.stream.is_writable():
                self.send_frame(FINAL | PONG, <bytes>value)
        elif opcode == PONG:
            if self.pinging and self.state == OPEN:
                self.pinging = False
                self.stream.set_timeout(self.ping_interval)
        else:
            self.peer_closes(<bytes>value)
        return 0

    cdef int peer_closes(self, bytes payload) except -1:
        """A close frame came: it is answered, unless it is the answer (RFC 6455, section 5.5.1)."""
        code, reason = read_close(payload)
        if self.state == OPEN:
            self.send_frame(FINAL | CLOSE, payload[:2])
        self.end(code, reason)
        return self.stream.finish(False)

    cdef int wake(self) except -1:
        """Let the coroutines that wait look again."""
        cdef list waiters = self.waiters
        self.waiters = None
        if waiters is not None:
            for future in waiters:
                if not future.done():
                    future.set_result(None)
        return 0

    # Sending.

    async def wait_writable(self):
        """Wait until the client has read enough, or the session has ended."""
        while self.state == OPEN and not self.stream.is_writable() and not self.stream.is_lost():
            future = self.stream.wait_writable()
            try:
                await future
            finally:
                self.stream.cancel_wait(future)

    cdef bint is_writable(self) noexcept:
        """May the application send now, or has the client to read first?"""
        return self.state != OPEN or self.stream.is_writable()

    cdef int check_open(self, object what) except -1:
        """Raise if ``what`` can't be sent (any more)."""
        if self.state == OPEN and not self.stream.is_lost():
            return 0
        if self.state == CONNECTING and self.stream is None and what != "websocket.send":
            if self.exchange.stream is None or self.exchange.stream.is_lost():
                raise ClientDisconnected("the client went away before the handshake was answered")
            return 0
        if self.closed_by_application:
            raise RuntimeError(f"expected no event after websocket.close, got {what!r}")
        if self.state <= DENYING:
            raise RuntimeError(f"expected websocket.accept before {what!r}")
        if self.stream is not None and self.close_code in (0, ABNORMAL):
            raise WebSocketDisconnected(ABNORMAL, self.stream.loss())
        raise WebSocketDisconnected(self.close_code, self.close_reason)

    cdef int send_message(self, object message) except -1:
        """Send a text (str) or anything that is bytes."""
        cdef bytes data
        if self.deflate is None or len(message) < MIN_COMPRESSED:
            if isinstance(message, str):
                return self.send_text(message)
            return self.send_frame(FINAL | BINARY, message if type(message) is bytes else bytes(message))
        if isinstance(message, str):
            return self.send_frame(FINAL | COMPRESSED | TEXT, self.deflate.deflate(message.encode()))
        return self.send_frame(FINAL | COMPRESSED | BINARY, self.deflate.deflate(message))

    cdef int send_text(self, str text) except -1:
        """ASCII is copied from where it is."""
        cdef Py_ssize_t size
        cdef WriteBuffer out
        if not PyUnicode_IS_COMPACT_ASCII(text) or PyUnicode_GET_LENGTH(text) >= LARGE_PIECE:
            return self.send_frame(FINAL | TEXT, text.encode())
        size = PyUnicode_GET_LENGTH(text)
        out = self.stream.buffer()
        write_frame_head(out, FINAL | TEXT, size)
        out.append(PyUnicode_DATA(text), size)
        return self.stream.written()

    cdef int send_frame(self, int first, bytes payload) except -1:
        cdef Py_ssize_t size = PyBytes_GET_SIZE(payload)
        cdef WriteBuffer out = self.stream.buffer()
        write_frame_head(out, first, size)
        if size < LARGE_PIECE:
            out.append(PyBytes_AS_STRING(payload), size)
        else:
            self.stream.send_data(payload)
        return self.stream.written()

    # The end.

    cdef int close(self, object code, object reason) except -1:
        """The application closes. A session that the client has closed already stays as it is."""
        cdef bytes payload = close_payload(code, reason)
        if self.closed_by_application:
            raise RuntimeError("expected one websocket.close, got a second one")
        if self.state == DENYING:
            raise RuntimeError("expected websocket.http.response.body, got websocket.close")
        if self.state == OPEN:
            self.closed_by_application = True
            self.queue.clear()
            self.queued = 0
            return self.send_close(code, payload, reason or "")
        if self.state == CONNECTING:
            self.check_open("websocket.close")
            self.closed_by_application = True
            return self.deny(403, [], b"")
        return 0

    cdef int send_close(self, int code, bytes payload, str reason) except -1:
        """Send a close frame, and await the client's."""
        self.send_frame(FINAL | CLOSE, payload)
        self.state = CLOSING
        self.close_code = code
        self.close_reason = reason
        self.stream.set_timeout(CLOSE_SECONDS)
        self.wake()
        if self.failure is not None:
            return self.fail(self.failure)
        return self.parse_received() if self.paused else 0

    cdef int fail(self, object error) except -1:
        """The client broke a rule (RFC 6455, section 7.1.7)."""
        self.failure = None
        if self.state == OPEN:
            self.send_frame(FINAL | CLOSE, close_payload(error.status, error.reason))
            self.server_state.events.on_request_refused(error, self.exchange.client)
        self.end(error.status, error.reason)
        return self.stream.finish(True)

    cdef int end(self, int code, str reason) except -1:
        """Nothing more is read or sent."""
        if self.state == CLOSED:
            return 0
        self.state = CLOSED
        if self.close_code == 0:
            self.close_code = code
            self.close_reason = reason
        receive_clear(&self.received)
        return self.wake()

    def finish_application(self, bint failed=False):
        """The application is done with the session; see :meth:`Exchange.finish_application`."""
        return self.end_application(failed)

    cdef bint end_application(self, bint failed) except -1:
        """Called once, by the gateway. ``failed``: it raised. Returns False if it has left the handshake unanswered."""
        cdef bint answered = self.exchange.end_application()
        self.exchange.session = None
        if self.state == OPEN:
            self.closed_by_application = True
            if failed:
                self.send_close(SERVER_ERROR, b"\x03\xf3internal error", "internal error")
            else:
                self.send_close(1000, b"\x03\xe8", "")
        elif self.state <= DENYING:
            self.end(ABNORMAL, "")
        return answered

    @property
    def lost(self):
        """Has the client closed, or gone away?"""
        return self.close_code != 0 and not self.closed_by_application
