"""Bytes that came and can't be read yet: part of a head, or requests behind the current one."""

from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.mem cimport PyMem_Free, PyMem_Realloc
from libc.string cimport memcpy, memmove

cdef enum:
    FIRST_CAPACITY = 256


cdef int keep(Pending* pending, const char* data, Py_ssize_t size) except -1:
    """Append ``size`` bytes; the memory doubles, so that a head that is dripped in costs no more than one that isn't."""
    cdef Py_ssize_t needed = pending.size + size
    cdef Py_ssize_t capacity = pending.capacity or FIRST_CAPACITY
    cdef char* memory
    while capacity < needed:
        capacity *= 2
    if capacity != pending.capacity:
        memory = <char*>PyMem_Realloc(pending.data, capacity)
        if memory is NULL:
            raise MemoryError
        pending.data = memory
        pending.capacity = capacity
    memcpy(pending.data + pending.size, data, size)
    pending.size = needed
    return 0


cdef void shift(Pending* pending, Py_ssize_t taken) noexcept:
    """The first ``taken`` bytes are done with; when none are left, neither is the memory."""
    if taken >= pending.size:
        drop(pending)
    elif taken:
        pending.size -= taken
        memmove(pending.data, pending.data + taken, pending.size)


cdef void drop(Pending* pending) noexcept:
    PyMem_Free(pending.data)
    pending.data = NULL
    pending.size = pending.capacity = 0


cdef class PendingBytes:
    """Python's view, for tests."""

    cdef Pending pending

    def __dealloc__(self):
        drop(&self.pending)

    def keep(self, bytes data not None):
        """Append ``data``."""
        keep(&self.pending, data, len(data))

    def shift(self, Py_ssize_t taken):
        """Forget the first ``taken`` bytes, or all there are."""
        shift(&self.pending, taken)

    @property
    def data(self):
        """What is pending."""
        return PyBytes_FromStringAndSize(self.pending.data, self.pending.size) if self.pending.size else b""

    @property
    def capacity(self):
        """How much memory is held for it, in bytes."""
        return self.pending.capacity
