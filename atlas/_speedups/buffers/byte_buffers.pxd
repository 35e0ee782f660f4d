"""Bytes that wait: to be read by a protocol, or to leave in one write."""

# A truth value of one byte: a bint takes four in each of thousands of idle connections.
ctypedef unsigned char flag

# Bytes that were received and can't be read yet. ``start`` to ``end`` of ``data`` is what waits.
cdef struct ReceiveBuffer:
    char* data              # NULL while nothing waits: an idle connection holds no memory for reading
    Py_ssize_t start
    Py_ssize_t end
    Py_ssize_t capacity

cdef int receive_append(ReceiveBuffer* buffer, const char* data, Py_ssize_t size) except -1
cdef void receive_consume(ReceiveBuffer* buffer, Py_ssize_t size) noexcept
cdef void receive_clear(ReceiveBuffer* buffer) noexcept


cdef class WriteBuffer:
    # The bytes gathered, their number, and how many fit before the memory grows. From ``held`` on they aren't to leave
    # yet (-1: all of them may).
    cdef char* data
    cdef Py_ssize_t size
    cdef Py_ssize_t capacity
    cdef Py_ssize_t held

    # Growing. Each returns 0, or -1 with MemoryError set.
    cdef int reserve(self, Py_ssize_t extra) except -1
    cdef int append(self, const char* data, Py_ssize_t size) except -1
    cdef int append_bytes(self, bytes data) except -1
    cdef int append_decimal(self, unsigned long long number) except -1
    cdef int append_hex(self, unsigned long long number) except -1

    # Shrinking.
    cdef bytes take(self)
    cdef void consume(self, Py_ssize_t size) noexcept
    cdef void clear(self) noexcept
