"""Bytes that wait: to be read by a protocol, or to leave in one write.

A write buffer belongs to one connection from its first byte to the flush, then goes back to a pool. A transport is given
an exact ``bytes`` copy, so that nothing it was given ever changes.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Malloc, PyMem_Realloc
from libc.string cimport memcpy, memmove

cdef enum:
    FIRST_RECEIVE_CAPACITY = 256
    FIRST_WRITE_CAPACITY = 1024
    MAX_POOLED_CAPACITY = 262144    # a buffer that was larger gives its memory back before it is pooled


cdef int receive_append(ReceiveBuffer* buffer, const char* data, Py_ssize_t size) except -1:
    """Append ``size`` bytes. The memory doubles, so that a head that arrives byte by byte costs linear time."""
    cdef Py_ssize_t waiting = buffer.end - buffer.start
    cdef Py_ssize_t capacity = buffer.capacity or FIRST_RECEIVE_CAPACITY
    cdef char* memory
    if buffer.start and buffer.end + size > buffer.capacity:
        memmove(buffer.data, buffer.data + buffer.start, waiting)
        buffer.start, buffer.end = 0, waiting
    while capacity < buffer.end + size:
        capacity *= 2
    if capacity != buffer.capacity:
        memory = <char*>PyMem_Realloc(buffer.data, capacity)
        if memory is NULL:
            raise MemoryError
        buffer.data = memory
        buffer.capacity = capacity
    memcpy(buffer.data + buffer.end, data, size)
    buffer.end += size
    return 0


cdef void receive_consume(ReceiveBuffer* buffer, Py_ssize_t size) noexcept:
    """The first ``size`` bytes were read. The memory is freed with the last byte."""
    buffer.start += size
    if buffer.start >= buffer.end:
        receive_clear(buffer)


cdef void receive_clear(ReceiveBuffer* buffer) noexcept:
    PyMem_Free(buffer.data)
    buffer.data = NULL
    buffer.start = buffer.end = buffer.capacity = 0


@cython.final
cdef class WriteBuffer:
    """Memory that grows at its end; compiled modules append to it without making Python objects."""

    def __cinit__(self):
        self.data = <char*>PyMem_Malloc(FIRST_WRITE_CAPACITY)
        if self.data is NULL:
            raise MemoryError
        self.size = 0
        self.capacity = FIRST_WRITE_CAPACITY
        self.held = -1

    def __dealloc__(self):
        PyMem_Free(self.data)

    def __len__(self):
        return self.size

    cdef int reserve(self, Py_ssize_t extra) except -1:
        """Make room for ``extra`` more bytes; the capacity doubles, so that appending stays linear."""
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
            self.reserve(size)
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
        """Append lower-case hexadecimal digits, as a chunk size is written."""
        cdef const char* symbols = b"0123456789abcdef"
        cdef char[16] digits
        cdef int at = 16
        while True:
            at -= 1
            digits[at] = symbols[number & 15]
            number >>= 4
            if number == 0:
                return self.append(&digits[at], 16 - at)

    cdef bytes take(self):
        """Everything gathered, as bytes of its own; the buffer is empty afterwards."""
        cdef bytes taken = PyBytes_FromStringAndSize(self.data, self.size)
        self.clear()
        return taken

    cdef void consume(self, Py_ssize_t size) noexcept:
        """The first ``size`` bytes have left."""
        self.size -= size
        if self.held > 0:
            self.held -= size
        if self.size:
            memmove(self.data, self.data + size, self.size)

    cdef void clear(self) noexcept:
        cdef char* data
        self.size = 0
        self.held = -1
        if self.capacity > MAX_POOLED_CAPACITY:
            data = <char*>PyMem_Realloc(self.data, FIRST_WRITE_CAPACITY)
            if data is not NULL:
                self.data = data
                self.capacity = FIRST_WRITE_CAPACITY
