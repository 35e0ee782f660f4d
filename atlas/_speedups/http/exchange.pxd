"""One request and its response, between a protocol and a gateway: the order of ASGI's events, the length of the body.

``receive``, ``send`` and what else Python sees of it is in the ``.pyi``.
"""

from atlas._speedups.buffers.connection cimport Connection
from atlas._speedups.http.request_body cimport BodyState, RequestBody
from atlas._speedups.http.request_head cimport RequestHead
from atlas._speedups.http.response_stream cimport FieldLine, HeadFacts, ResponseStream, Session
from atlas._speedups.http.server_state cimport ServerState

cdef enum ResponseState:
    NO_RESPONSE         # nothing was sent
    HEAD_HELD           # http.response.start has come; the head waits for the first piece of the body
    BODY_OPEN           # the head, and perhaps some of the body, is on its way
    FILE_OPEN           # a file is being sent as a part of the body
    TRAILERS_OPEN       # the body is whole, trailers follow
    RESPONSE_DONE       # the response is whole
    RESPONSE_FAILED     # it will never be whole


cdef class Gateway:
    # The tasks of the requests that are still worked on.
    cdef readonly set tasks

    # What a protocol calls, once for each exchange: start() when its head is parsed; disconnect() when the client is gone
    # before the response was whole; half_close() when the client will send nothing more. None raises what the
    # application raises.
    cdef int start(self, Exchange exchange) except -1
    cdef int disconnect(self, Exchange exchange) except -1
    cdef int half_close(self, Exchange exchange) except -1


cdef class Exchange:
    # What was asked, and what carries it: ``stream`` is None once the connection has let go of the exchange.
    cdef readonly RequestHead head
    cdef readonly ServerState state
    cdef Gateway gateway
    cdef ResponseStream stream
    cdef Connection connection
    cdef Session session            # what is to become of the request, where it is a handshake; else None

    # Where the request comes from: (host, port) or None, and "http" or "https"; what a trusted proxy says takes precedence.
    cdef readonly object client
    cdef str scheme
    cdef str prefix                 # that the proxy has cut off from the path; else None

    # The request's body; None until some of it comes, or is asked for.
    cdef RequestBody body

    # The response: its state, and what its head says.
    cdef ResponseState response_state
    cdef readonly int status
    cdef HeadFacts facts
    cdef bint bodyless              # HEAD, 204, 304: whatever the application sends, no body leaves
    cdef bint trailers              # were promised, and the client takes them
    cdef bint client_lost           # the client left before the application was done
    cdef long long body_size        # bytes of the response's body so far
    cdef object response_headers    # as the application gave them, for the access log

    # The scope, once it was asked for; until then what is to be in it beside the request's own.
    cdef dict scope_dict
    cdef dict notes

    # The gateway's own: the task that works on it, whatever it has to know of it; and when it began.
    cdef public object task
    cdef object handle
    cdef int group                  # that it counts in, see Counters
    cdef double began               # known where durations are measured

    # A protocol makes an exchange, and calls init() at once.
    cdef int init(self, ServerState state, Gateway gateway, ResponseStream stream, RequestHead head) except -1

    # What was asked. make_scope() makes a new one at each call, whole_scope() the same one.
    cdef dict make_scope(self)
    cdef dict whole_scope(self)
    cdef dict get_notes(self)
    cdef int read_forwarded(self) except -1

    # The request's body.
    cdef RequestBody get_body(self)
    cdef BodyState body_state(self) noexcept
    cdef Py_ssize_t body_waiting(self) noexcept

    # ASGI's events.
    cdef object send_now(self, object event)
    cdef int start_response(self, object event) except -1
    cdef int continue_body(self, object event) except -1
    cdef int send_trailers(self, object event) except -1
    cdef int send_early_hint(self, object event) except -1

    # The response, piece by piece.
    cdef int check_sendable(self, object what) except -1
    cdef int hold_head(self, int status, FieldLine first, list fields) except -1
    cdef int hold_encoded(self, int status, bytes head, HeadFacts* facts) except -1
    cdef int after_hold(self, int status) except -1
    cdef int drop_head(self) except -1
    cdef int send_head(self, bint whole, Py_ssize_t size) except -1
    cdef int send_whole(self, bytes body) except -1
    cdef int check_length(self, long long size, bint more) except -1
    cdef int end_piece(self, long long size, bint more) except -1

    # How it ends.
    cdef int switch_protocols(self) except -1
    cdef int finish(self) except -1
    cdef bint is_abandoned(self) noexcept
    cdef bint end_application(self) except -1
    cdef int fail_response(self) except -1
    cdef int drain(self) except -1
    cdef int end_for_shutdown(self) except -1
    cdef int release(self) except -1
    cdef int log(self) except -1
