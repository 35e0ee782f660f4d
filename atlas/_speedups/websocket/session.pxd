"""One WebSocket, from its handshake to its end: what Exchange is to a request."""

from atlas._speedups.buffers.byte_buffers cimport ReceiveBuffer, WriteBuffer, flag
from atlas._speedups.buffers.connection cimport Connection
from atlas._speedups.http.exchange cimport Exchange, Gateway
from atlas._speedups.http.server_state cimport ServerState
from atlas._speedups.http.response_stream cimport Session
from atlas._speedups.websocket.deflate cimport PerMessageDeflate
from atlas._speedups.websocket.frames cimport MessageReader
from atlas._speedups.websocket.handshake cimport Handshake

cdef enum SessionState:
    CONNECTING          # the application has not answered the handshake
    DENYING             # it answers by a response, which isn't whole
    OPEN                # messages go both ways
    CLOSING             # a close frame was sent, and the client's is awaited; nothing else is sent
    CLOSED              # nothing more is read or sent

cdef enum:
    GOING_AWAY = 1001
    SERVER_ERROR = 1011
    SERVICE_RESTART = 1012


# What carries the frames of a session, as ResponseStream carries a response. The base class writes to a connection.
cdef class SessionStream:
    cdef Connection connection

    # Writing: append to buffer(), or send_data() what is large; then written().
    cdef WriteBuffer buffer(self)
    cdef int send_data(self, bytes data) except -1
    cdef int written(self) except -1
    cdef bint is_writable(self) noexcept
    cdef bint is_lost(self) noexcept
    cdef object wait_writable(self)
    cdef int cancel_wait(self, object future) except -1
    cdef str loss(self)

    # Reading, and the deadline: check_timeout() of the session is called when it has passed (0: never).
    cdef int pause_reading(self) except -1
    cdef int resume_reading(self) except -1
    cdef int set_timeout(self, double seconds) except -1

    # The end, once all that was written has left. ``unread``: the client may still send, which must not be taken for a
    # reset.
    cdef int finish(self, bint unread) except -1


cdef class WebSocketSession(Session):
    # What was asked, and what carries the frames (None before the session is open).
    cdef readonly Exchange exchange
    cdef readonly Handshake handshake
    cdef Gateway gateway
    cdef ServerState server_state
    cdef SessionStream stream
    cdef SessionState state
    cdef PerMessageDeflate deflate

    # What came: messages (str or bytes) that the application hasn't received, and bytes that there was no room for.
    cdef MessageReader reader
    cdef list queue
    cdef Py_ssize_t queued              # bytes of the messages
    cdef Py_ssize_t max_queue           # messages
    cdef ReceiveBuffer received
    cdef flag paused                    # reading is paused: the queue is full
    cdef object failure                 # a ProtocolError behind the messages of the queue; None

    cdef list waiters                   # futures of the coroutines that wait for more

    # How it ended: the code (0: it has not) and the reason that the application is told.
    cdef readonly int close_code
    cdef readonly str close_reason
    cdef flag closed_by_application

    # Keepalive: seconds (0: off), whether a ping waits for its pong, and whether anything came meanwhile.
    cdef double ping_interval
    cdef double ping_timeout
    cdef flag pinging
    cdef flag alive

    # The gateway's own: the task that works on it, and whatever it has to know of it.
    cdef public object task
    cdef public object handle

    # The handshake. deny() sends a whole response; begin_denial() the head of one, and the exchange takes the rest.
    cdef int accept(self, object subprotocol, list headers) except -1
    cdef int deny(self, int status, list headers, bytes body) except -1
    cdef int begin_denial(self, object status, list headers) except -1

    cdef int check_unanswered(self, object what) except -1

    # What the stream's protocol calls.
    cdef int feed(self, char* data, Py_ssize_t size) except -1
    cdef int feed_eof(self) except -1
    cdef int check_timeout(self) except -1
    cdef int drain(self) except -1
    cdef int lost(self) except -1

    # Reading.
    cdef Py_ssize_t parse(self, char* data, Py_ssize_t size) except -1
    cdef Py_ssize_t fail_later(self, object error, Py_ssize_t size) except -1
    cdef int take_item(self) except -1
    cdef int peer_closes(self, bytes payload) except -1
    cdef int parse_received(self) except -1
    cdef bint is_full(self) noexcept
    cdef object next_message(self)
    cdef int wake(self) except -1

    # Sending.
    cdef bint is_writable(self) noexcept
    cdef int check_open(self, object what) except -1
    cdef int send_message(self, object message) except -1
    cdef int send_frame(self, int first, bytes payload) except -1
    cdef int send_text(self, str text) except -1

    # The end.
    cdef int close(self, object code, object reason) except -1
    cdef int send_close(self, int code, bytes payload, str reason) except -1
    cdef int fail(self, object error) except -1
    cdef int end(self, int code, str reason) except -1
    cdef bint end_application(self, bint failed) except -1


cdef WebSocketSession new_session(Exchange exchange)
