"""The limits that a request head and body keep; read from the settings once."""


cdef class Limits:
    cdef readonly Py_ssize_t request_line       # bytes of a request line
    cdef readonly Py_ssize_t head               # bytes of a whole head
    cdef readonly int fields                    # header fields in a head
    cdef readonly Py_ssize_t field              # bytes of one field line
    cdef readonly long long body                # bytes of a body; 0: no limit
