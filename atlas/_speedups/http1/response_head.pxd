"""Writes a response's head: status and fields become bytes in one validating pass."""

from atlas._speedups.buffers.write_buffer cimport WriteBuffer

# What the fields of a response say, gathered while they are written.
cdef struct ResponseFields:
    bint has_length
    long long length
    bint has_transfer_encoding
    bint has_date
    bint has_server
    bint close                  # the application said "connection: close"

cdef int final_status(object status) except -1
cdef int write_status(WriteBuffer out, int status) except -1
cdef list field_pairs(object headers)
cdef int write_fields(WriteBuffer out, list pairs, int status, ResponseFields* fields) except -1
cdef int write_trailer(WriteBuffer out, list pairs) except -1
