"""Connections as tests see them: a gateway written in Python, the clock, the states of a connection and its protocol."""

from atlas._speedups.buffers.connection cimport Connection
from atlas._speedups.buffers.connection_set cimport monotonic
from atlas._speedups.http.exchange cimport Exchange, Gateway
from atlas._speedups.http1.protocol cimport (
    CLOSED, CLOSING, IDLE, IN_EXCHANGE, IN_HEAD, LAST_RESPONSE, LINGERING, Http1Protocol
)

_STATES = {
    IDLE: "idle", IN_HEAD: "in head", IN_EXCHANGE: "in exchange", LAST_RESPONSE: "last response",
    LINGERING: "lingering",
    CLOSING: "closing", CLOSED: "closed",
}


cdef class PythonGateway(Gateway):
    """Calls Python methods: ``on_start(exchange)``, ``on_disconnect(exchange)``, ``on_half_close(exchange)``."""

    cdef int start(self, Exchange exchange) except -1:
        self.on_start(exchange)
        return 0

    cdef int disconnect(self, Exchange exchange) except -1:
        self.on_disconnect(exchange)
        return 0

    cdef int half_close(self, Exchange exchange) except -1:
        self.on_half_close(exchange)
        return 0


cdef class UpgradeGateway(Gateway):
    """Switches each connection to the protocol that a request asks for by ``Upgrade: echo``.

    :param new_protocol: called for each such request.
    """

    cdef object new_protocol

    def __init__(self, new_protocol):
        self.new_protocol = new_protocol

    cdef int start(self, Exchange exchange) except -1:
        exchange.stream.send_interim(101, [(b"connection", b"upgrade"), (b"upgrade", exchange.head.upgrade)])
        (<Http1Protocol?>exchange.connection.protocol).switch_to(self.new_protocol())
        exchange.end_application()
        return 0


def now():
    """The clock of all deadlines, in seconds."""
    return monotonic()


def state_of(Connection connection not None):
    """The state of the HTTP/1 protocol on a connection, in words."""
    return _STATES[(<Http1Protocol?>connection.protocol).state] if connection.protocol is not None else "closed"


def age_body(Connection connection not None, double seconds):
    """Let the body of the current request have begun so many seconds earlier."""
    (<Http1Protocol?>connection.protocol).stream.pace.since -= seconds


def begin(Gateway gateway not None, Exchange exchange not None):
    """Call ``gateway.start`` as a protocol does."""
    gateway.start(exchange)


def disconnect(Gateway gateway not None, Exchange exchange not None):
    """Call ``gateway.disconnect`` as a protocol does."""
    gateway.disconnect(exchange)


def release(Exchange exchange not None):
    """Cut the ties between an exchange and its connection."""
    exchange.release()
