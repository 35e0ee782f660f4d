"""HTTP/1 on one connection: which request is read and which response is written, and whether the connection goes on."""

from atlas._speedups.buffers.byte_buffers cimport ReceiveBuffer, flag
from atlas._speedups.buffers.connection cimport Protocol
from atlas._speedups.http.exchange cimport Exchange, Gateway
from atlas._speedups.http1.request_parser cimport RequestParser
from atlas._speedups.http1.stream cimport Http1ProtocolBase, Http1Stream

# No connection stays open without a deadline, or a probe by the kernel. The server's timer looks at all of them
# (atlas/server/timeout_timer.py). tests/_speedups/http1/test_deadlines.py drives each row.
#
#   what a connection waits for             deadline                        and then
#   IDLE, before the first request          --timeout-request-head          close
#   IDLE, between two requests              --timeout-keep-alive            close
#   IDLE, requests wait for room            --timeout-write (below)
#   IN_HEAD, the rest of a head             --timeout-request-head          408
#   IN_EXCHANGE, the application waits
#     for the rest of a body                --timeout-request-body          receive: http.disconnect
#     and as long as no response has begun  the same for the whole of it, with a second more for each
#                                           --min-request-body-rate bytes   receive: http.disconnect
#   IN_EXCHANGE, the response is whole,
#     the rest of the body is discarded     --timeout-request-body          close
#   IN_EXCHANGE, the application works      the application's own; keepalive probes find out that the client is gone
#                                           (atlas/server/sockets/listener.py), also where the loop doesn't read: then the timer
#                                           asks the socket                 abort
#   LAST_RESPONSE, LINGERING                LINGER_SECONDS                  close
#   CLOSING                                 --timeout-write                 abort
#   any, the client reads nothing           --timeout-write                 abort
#   a TLS handshake                         the event loop's                close
cdef enum Http1State:
    IDLE            # between two requests, or before the first: nothing of a request has come
    IN_HEAD         # some of a request's head has come
    IN_EXCHANGE     # a request is worked on, or the rest of its body is discarded
    LAST_RESPONSE   # the last response leaves; what still comes is discarded
    LINGERING       # it has left, and the client was told that nothing follows (RFC 9112, section 9.6)
    CLOSING         # nothing is read any more; what is gathered leaves, then the transport closes
    CLOSED


cdef class Http1Protocol(Http1ProtocolBase):
    # What calls the application.
    cdef Gateway gateway

    # Where the connection is, and how the current response leaves.
    cdef Http1State state
    cdef flag reused                # a response was sent on the connection
    cdef flag advancing             # advance() is at work
    cdef flag resuming              # the loop will call resume()
    cdef flag behind_proxy          # the peer is a proxy whose X-Forwarded-... fields are trusted
    cdef Http1Stream stream         # borrowed for an exchange

    # The request that is being read, and what came behind it.
    cdef RequestParser parser       # borrowed while a message is read
    cdef ReceiveBuffer received

    # Reading. parse(), parse_head() and parse_body() return the bytes used; 0: nothing can be parsed now.
    cdef int advance(self, char* data, Py_ssize_t size) except -1
    cdef Py_ssize_t parse(self, char* data, Py_ssize_t size) except -1
    cdef Py_ssize_t parse_head(self, char* data, Py_ssize_t size) except -1
    cdef Py_ssize_t parse_body(self, char* data, Py_ssize_t size) except -1
    cdef bint has_waiting(self) noexcept
    cdef int update_reading(self) except -1
    cdef int resume_soon(self) except -1

    # An exchange's beginning and end.
    cdef int begin(self) except -1
    cdef int end_request(self) except -1
    cdef int end_exchange(self) except -1

    # Whether the connection goes on.
    cdef bint discards_rest(self) noexcept
    cdef bint has_unread(self) except -1

    # The end of the connection.
    cdef int refuse(self, object error, char* data) except -1
    cdef int send_last(self) except -1
    cdef int linger(self) except -1
    cdef int close(self) except -1
    cdef int drop_exchange(self) except -1
    cdef int drop_parser(self) except -1
