"""The answer to a request that could not be read."""

from atlas._speedups.worker cimport Worker
from atlas._speedups.write_buffer cimport WriteBuffer

cdef Py_ssize_t write_refusal(WriteBuffer out, Worker worker, int status, str reason) except -1
