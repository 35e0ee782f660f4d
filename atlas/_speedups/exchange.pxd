"""One request and its response."""

from atlas._speedups.channel cimport Channel
from atlas._speedups.framing cimport Framing
from atlas._speedups.request_head cimport RequestHead
from atlas._speedups.response_head cimport ResponseFields
from atlas._speedups.worker cimport Worker

cdef enum RequestState:
    BODY_COMING         # more of it is expected
    BODY_THERE          # all of it has come
    BODY_GIVEN          # all of it has been received by the application
    BODY_LOST           # the client left, or is no longer listened to: the rest will not come

cdef enum ResponseState:
    NO_RESPONSE         # nothing was sent
    HEAD_HELD           # the start was sent; the head waits for the body's framing
    BODY_OPEN           # head and perhaps some of the body are on their way
    TRAILERS_OPEN       # the body is whole, trailers follow
    RESPONSE_DONE
    RESPONSE_FAILED     # it can't be finished any more


cdef class Carrier(Channel):
    # The other half of a connection, as its exchange sees it; Connection fills it in.
    cdef object client                  # (host, port), or None
    cdef object server                  # (host, port), (path, None), or None
    cdef str scheme
    cdef int body_wanted(self, Exchange exchange) except -1
    cdef bint reusable(self, Exchange exchange) noexcept
    cdef int response_done(self, Exchange exchange) except -1
    cdef int response_failed(self, Exchange exchange) except -1


cdef class Exchange:
    # Who carries it, and what was asked.
    cdef Carrier carrier
    cdef Worker worker
    cdef readonly RequestHead head
    cdef double began

    # The request's body: where it stands, and the pieces that the application didn't take yet.
    cdef RequestState request_state
    cdef list pieces
    cdef Py_ssize_t piece_bytes
    cdef bint client_left           # it will send nothing more
    cdef bint continue_due          # the client waits for 100 Continue
    cdef list receivers             # futures of those who wait in receive()

    # The response.
    cdef ResponseState response_state
    cdef readonly int status
    cdef Framing framing
    cdef ResponseFields fields
    cdef Py_ssize_t head_mark       # where the held head begins in the carrier's buffer
    cdef bint trailers              # were promised
    cdef long long body_bytes       # of the response, so far
    cdef object response_headers    # as the application gave them

    # The application: the gateway's handle on it (a task, or None).
    cdef public object task

    # The application's side.
    cdef dict make_scope(self)
    cdef bint end_application(self) except -1

    # Receiving.
    cdef int body_came(self, list pieces, Py_ssize_t size, bint complete) except -1
    cdef int body_lost(self) except -1
    cdef int wake_receivers(self) except -1
    cdef dict receive_now(self)
    cdef dict give_body(self)

    # Sending.
    cdef object send_now(self, object event)
    cdef int start_response(self, object event) except -1
    cdef int send_body(self, object event) except -1
    cdef int end_head(self, bint single, Py_ssize_t size) except -1
    cdef int write_framing(self, bint single, Py_ssize_t size) except -1
    cdef int drop_head(self) except -1
    cdef int check_length(self, Py_ssize_t size, bint more) except -1
    cdef int write_body(self, bytes body, bint more) except -1
    cdef int write_chunk(self, bytes body, bint more) except -1
    cdef int send_trailers(self, object event) except -1
    cdef int send_early_hint(self, object event) except -1
    cdef int finish(self) except -1
    cdef int fail_response(self) except -1
    cdef int log(self) except -1
