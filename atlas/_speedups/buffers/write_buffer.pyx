"""Gathers the bytes that leave in one write.

A buffer belongs to one connection from its first byte to the flush, then goes back to the worker's pool. What is
handed to a transport is an exact ``bytes`` copy, so nothing that was handed over ever changes afterwards.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Malloc, PyMem_Realloc
from libc.string cimport memcpy, memmove

cdef enum:
    FIRST_CAPACITY = 1024
    # A pooled buffer that once carried a large body gives the memory back.
    KEPT_CAPACITY = 256 * 1024


cdef class WriteBuffer:
    """A growing piece of memory with an end; compiled rooms append to it without making Python objects."""

    def __cinit__(self):
        self.data = <char*>PyMem_Malloc(FIRST_CAPACITY)
        if self.data is NULL:
            raise MemoryError
        self.size = 0
        self.capacity = FIRST_CAPACITY

    def __dealloc__(self):
        PyMem_Free(self.data)

    cdef int grow(self, Py_ssize_t extra) except -1:
        """Make room for ``extra`` more bytes; doubles, so that appending stays linear."""
        cdef Py_ssize_t capacity = self.capacity
        cdef char* data
        if capacity - self.size >= extra:
            return 0
        while capacity - self.size < extra:
            capacity *= 2
        data = <char*>PyMem_Realloc(self.data, capacity)
        if data is NULL:
            raise MemoryError
        self.data = data
        self.capacity = capacity
        return 0

    cdef int append(self, const char* data, Py_ssize_t size) except -1:
        if self.capacity - self.size < size:
            self.grow(size)
        memcpy(self.data + self.size, data, size)
        self.size += size
        return 0

    cdef int append_bytes(self, bytes data) except -1:
        return self.append(PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))

    cdef int append_decimal(self, unsigned long long number) except -1:
        cdef char[24] digits
        cdef int at = 24
        while True:
            at -= 1
            digits[at] = <char>(48 + number % 10)
            number //= 10
            if number == 0:
                return self.append(&digits[at], 24 - at)

    cdef int append_hex(self, unsigned long long number) except -1:
        cdef char[16] digits
        cdef int at = 16
        while True:
            at -= 1
            digits[at] = b"0123456789abcdef"[number & 15]
            number >>= 4
            if number == 0:
                return self.append(&digits[at], 16 - at)

    cdef bytes take(self):
        """Everything gathered, as bytes of its own; the buffer is empty afterwards."""
        cdef bytes taken = PyBytes_FromStringAndSize(self.data, self.size)
        self.clear()
        return taken

    cdef void drop_front(self, Py_ssize_t size) noexcept:
        """Forget the first ``size`` bytes: they have left."""
        self.size -= size
        if self.size:
            memmove(self.data, self.data + size, self.size)

    cdef void clear(self) noexcept:
        cdef char* data
        self.size = 0
        if self.capacity > KEPT_CAPACITY:
            data = <char*>PyMem_Realloc(self.data, FIRST_CAPACITY)
            if data is not NULL:
                self.data = data
                self.capacity = FIRST_CAPACITY

    # Python's view, for tests.

    def add(self, bytes data not None):
        """Append ``data``."""
        self.append_bytes(data)

    def add_decimal(self, unsigned long long number):
        """Append ``number`` in decimal digits."""
        self.append_decimal(number)

    def add_hex(self, unsigned long long number):
        """Append ``number`` in lower-case hexadecimal digits, as a chunk size is written."""
        self.append_hex(number)

    def drop(self, Py_ssize_t size):
        """Forget the first ``size`` bytes; ValueError if there are fewer."""
        if not 0 <= size <= self.size:
            raise ValueError(f"expected 0 to {self.size} bytes to drop, got {size}")
        self.drop_front(size)

    def take_all(self):
        """Everything gathered, as bytes; the buffer is empty afterwards."""
        return self.take()

    def __len__(self):
        return self.size
