"""Responses as bytes of HTTP/1: status line and fields, framing, chunks."""

from atlas._speedups.buffers.byte_buffers cimport WriteBuffer
from atlas._speedups.buffers.connection cimport Connection, Protocol
from atlas._speedups.buffers.socket_writer cimport SocketWriter
from atlas._speedups.http.body_pace cimport BodyPace
from atlas._speedups.http.exchange cimport Exchange
from atlas._speedups.http.response_stream cimport HeadFacts, ResponseStream
from atlas._speedups.http.server_state cimport ServerState
from atlas._speedups.http1.framing cimport Framing

# Heads as bytes. Each writes to ``out``, raises TypeError or ValueError for what must not be sent, and may leave a part of
# it in ``out`` then: the caller cuts it back.
cdef int write_status(WriteBuffer out, int status) except -1
cdef int write_fields(WriteBuffer out, list pairs, int status, HeadFacts* facts) except -1
cdef int write_trailers(WriteBuffer out, list pairs) except -1

# The whole response to a request that can't be parsed; its method and target are for the access log.
cdef int write_refusal(Connection connection, ServerState state, object error, tuple line) except -1

# The requests that no application sees: OPTIONS *, and what is beyond --limit-concurrency.
cdef bint answer_by_server(Exchange exchange, ServerState state) except -1
cdef int refuse_for_load(Exchange exchange, ServerState state) except -1


# The part of Http1Protocol that a stream calls; it is declared here because the modules would import each other.
cdef class Http1ProtocolBase(Protocol):
    # What is shared with the other connections, and the request that is worked on.
    cdef ServerState server_state
    cdef Exchange exchange

    cdef int drain(self) except -1

    # What a stream asks for.
    cdef bint is_reusable(self) noexcept
    cdef int response_done(self) except -1
    cdef int response_failed(self) except -1
    cdef int want_body(self) except -1
    cdef int body_taken(self, Py_ssize_t size) except -1
    cdef int switch_to(self, Protocol protocol) except -1


cdef class Http1Stream(ResponseStream):
    # Where the bytes go, and the protocol that decides about the connection; both None between two exchanges.
    cdef SocketWriter writer
    cdef Http1ProtocolBase protocol

    # The response: its framing, whether trailers follow, whether it is the connection's last.
    cdef Framing framing
    cdef bint trailers
    cdef bint close_after
    cdef bint continue_due          # the client waits for 100 Continue
    cdef BodyPace pace              # of the request's body

    # More of the request's body is to come; ``size`` bytes have.
    cdef int expect_body(self, Py_ssize_t size) except -1

    cdef int write_framing(
        self, int status, HeadFacts* facts, bint bodyless, bint whole, long long size
    ) except -1


# A stream for an exchange, and back when the exchange is over: an idle connection has none.
cdef Http1Stream borrow_stream(Http1ProtocolBase protocol)
cdef int return_stream(Http1Stream stream) except -1
