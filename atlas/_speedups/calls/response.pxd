"""A response whose body is there at once, as it is kept until it is sent."""

from atlas._speedups.http1.response_head cimport ResponseFields
from atlas._speedups.buffers.write_buffer cimport WriteBuffer


cdef class ContentType:
    # The field as a pair of bytes, and as the line that goes out.
    cdef readonly tuple pair
    cdef bytes line


cdef class BaseResponse:
    # What is sent. The fields are only the content type's until somebody asks for their list.
    cdef public object status_code
    cdef public object body
    cdef ContentType kind
    cdef list fields
    cdef public bint pending        # it is not there yet: a subclass has complete(request), which is awaited

    # Status line, fields and length in bytes, of one that is sent again and again; good for that status and body.
    cdef int times                  # sent as it is; -1 once somebody holds the list of fields and may change it
    cdef bytes prepared
    cdef int prepared_status
    cdef object prepared_body
    cdef ResponseFields prepared_said

    # Methods.
    cdef int set_kind(self, object kind) except -1
    cdef list pairs(self)
    cdef void expose(self) noexcept
    cdef int write_head(self, WriteBuffer out, ResponseFields* said) except -1
    cdef int write_anew(self, WriteBuffer out, int status, bytes body, ResponseFields* said) except -1
    cdef bytes sent_body(self)
    cdef list sent_fields(self, ResponseFields* said)
