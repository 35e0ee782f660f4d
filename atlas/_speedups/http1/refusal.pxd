"""The answer to a request that could not be read."""

from atlas._speedups.http.server_state cimport ServerState
from atlas._speedups.buffers.write_buffer cimport WriteBuffer

cdef Py_ssize_t write_refusal(WriteBuffer out, ServerState worker, int status, str reason) except -1
