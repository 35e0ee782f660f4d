"""One request and its response."""

from atlas._speedups.http1.carrier cimport Carrier
from atlas._speedups.http1.framing cimport Framing
from atlas._speedups.http.incoming cimport Incoming
from atlas._speedups.calls.response cimport BaseResponse
from atlas._speedups.http1.response_head cimport ResponseFields

cdef enum ResponseState:
    NO_RESPONSE         # nothing was sent
    HEAD_HELD           # the start was sent; the head waits for the body's framing
    BODY_OPEN           # head and perhaps some of the body are on their way
    TRAILERS_OPEN       # the body is whole, trailers follow
    RESPONSE_DONE
    RESPONSE_FAILED     # it can't be finished any more


cdef class Exchange(Incoming):
    cdef double began

    # The response.
    cdef ResponseState response_state
    cdef readonly int status
    cdef Framing framing
    cdef ResponseFields fields
    cdef bint trailers              # were promised
    cdef bint cut_short             # the client went away before the response was complete
    cdef long long body_bytes       # of the response, so far
    cdef object response_headers    # as the application gave them

    # The application: the gateway's handles on it (a task, and whatever it has to know of it; or None).
    cdef public object task
    cdef object handle

    # The application's side.
    cdef bint end_application(self) except -1

    # Sending.
    cdef object send_now(self, object event)
    cdef int check_carrier(self, object what) except -1
    cdef int start_response(self, object event) except -1
    cdef int send_body(self, object event) except -1
    cdef int end_head(self, bint single, Py_ssize_t size) except -1
    cdef int write_framing(self, bint single, Py_ssize_t size) except -1
    cdef int drop_head(self) except -1
    cdef int check_length(self, Py_ssize_t size, bint more) except -1
    cdef int write_body(self, bytes body, bint more) except -1
    cdef int begin_piece(self, long long size) except -1
    cdef int end_piece(self, long long size, bint more) except -1
    cdef int send_reply(self, BaseResponse reply) except -1
    cdef int send_trailers(self, object event) except -1
    cdef int send_early_hint(self, object event) except -1
    cdef int finish(self) except -1
    cdef bint broken_off(self) noexcept
    cdef int fail_response(self) except -1
    cdef int log(self, Carrier carrier) except -1
