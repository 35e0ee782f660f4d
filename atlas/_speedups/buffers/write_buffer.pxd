"""Gathers the bytes that leave in one write."""


cdef class WriteBuffer:
    # What is gathered, how much of it, and how much fits before the memory grows.
    cdef char* data
    cdef Py_ssize_t size
    cdef Py_ssize_t capacity

    # Growing. Each returns 0, or -1 with MemoryError set.
    cdef int grow(self, Py_ssize_t extra) except -1
    cdef int append(self, const char* data, Py_ssize_t size) except -1
    cdef int append_bytes(self, bytes data) except -1
    cdef int append_decimal(self, unsigned long long number) except -1
    cdef int append_hex(self, unsigned long long number) except -1

    # Leaving.
    cdef bytes take(self)
    cdef void drop_front(self, Py_ssize_t size) noexcept
    cdef void clear(self) noexcept
