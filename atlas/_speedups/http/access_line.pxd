"""The access log's default line."""

from atlas._speedups.buffers.write_buffer cimport WriteBuffer

cdef bytes access_line(WriteBuffer out, object client, str method, bytes target, bint http_10, int status)
