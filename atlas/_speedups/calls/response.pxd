"""A response whose body is there at once, as it is kept until it is sent."""

from atlas._speedups.http.exchange cimport Exchange
from atlas._speedups.http.response_stream cimport FieldLine, HeadFacts


cdef class BaseResponse:
    # What is sent. The fields are only the content type's until somebody asks for their list.
    cdef public object status_code
    cdef public object body
    cdef FieldLine kind
    cdef list fields
    cdef public bint pending        # it is not there yet: a subclass has complete(request), which is awaited

    # Status line, fields and length in bytes, of one that is sent again and again; good for that status and body.
    cdef int times                  # sent as it is; -1 once somebody holds the list of fields and may change it
    cdef bytes prepared
    cdef int prepared_status
    cdef object prepared_body
    cdef HeadFacts prepared_facts

    # Methods.
    cdef int set_kind(self, object kind) except -1
    cdef list pairs(self)
    cdef void expose(self) noexcept
    cdef int send_to(self, Exchange exchange) except -1
    cdef int hold_head(self, Exchange exchange, int status, bytes body) except -1
    cdef bytes sent_body(self)
    cdef list sent_fields(self, HeadFacts* facts)
