"""A buffered response: status, header fields and body."""

from atlas._speedups.http.exchange cimport Exchange
from atlas._speedups.http.response_stream cimport FieldLine, HeadFacts


cdef class BaseResponse:
    # The response. The list of fields is created by the first access; until then the only field is type_line.
    cdef public object status_code
    cdef public object body
    cdef FieldLine type_line
    cdef list fields
    cdef public bint pending        # complete(request) of a subclass has to be awaited before it is sent

    # The encoded head of a response that is sent repeatedly, and the status and body for which it is valid.
    cdef int sent_count             # 0, or 1 after the first time; -1 if other code may change the list of fields
    cdef bytes cached_head
    cdef int cached_status
    cdef object cached_body
    cdef HeadFacts cached_facts
    cdef BaseResponse original      # of a copy whose fields were not accessed: keeps the cached head for both; or None

    # Methods.
    cdef int set_content_type(self, object kind) except -1
    cdef list field_list(self)
    cdef dict own_attributes(self)
    cdef void mark_shared(self) noexcept
    cdef int send_to(self, Exchange exchange) except -1
    cdef int hold_head(self, Exchange exchange, int status, bytes body, BaseResponse keeper) except -1
    cdef bytes sent_body(self)
    cdef list sent_fields(self, HeadFacts* facts)


cdef class Printer:
    cdef object refuse


cdef object own(object response)
