"""Bytes that came and can't be read yet: part of a head, or requests behind the current one."""

cdef struct Pending:
    char* data              # NULL while there are none: an idle connection holds no memory for reading
    Py_ssize_t size
    Py_ssize_t capacity

cdef int keep(Pending* pending, const char* data, Py_ssize_t size) except -1
cdef void shift(Pending* pending, Py_ssize_t taken) noexcept
cdef void drop(Pending* pending) noexcept
