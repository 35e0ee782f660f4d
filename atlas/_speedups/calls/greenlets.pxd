"""Greenlets that are used again, one function call after another."""

from cpython.object cimport PyObject

# What a greenlet does for its pool: a compiled function of three objects. It is called in the greenlet.
ctypedef object (*work_type)(object first, object second, object third)


cdef class Call:
    # The work, and what it is given.
    cdef work_type work
    cdef object first
    cdef object second
    cdef object third
    cdef object context
    cdef bint entered               # the context is entered around the work; else it is made that of the greenlet

    # What came of it.
    cdef bint done
    cdef object result
    cdef object error

    # Where the greenlet goes when the work is done, and what becomes of it then.
    cdef object parent
    cdef bint once                  # there is no other call: the greenlet ends
    cdef bint abandoned             # no caller is left

    cdef bint carry_out(self) except -1


cdef class PooledGreenlet:
    cdef readonly object greenlet
    cdef Call call
    cdef object awaitable           # what it waits for
    cdef bint started
    cdef PooledGreenlet next        # of the idle ones of its pool

    cdef int adopt(self) except -1
    cdef int go(self, PyObject* args) except -1
    cdef int start_deeper(self) except -1
    cdef int go_from(self, char* room) except -1
    cdef int leave_context(self) except -1


cdef class GreenletPool:
    cdef PooledGreenlet idle        # the first of a linked list; a list object would shrink and grow with each call
    cdef readonly Py_ssize_t idle_count
    cdef readonly Py_ssize_t most_idle

    cdef PooledGreenlet take(self)
    cdef PooledGreenlet new(self)
    cdef PooledGreenlet start(self, work_type work, object first, object second, object third, object context)
    cdef int release(self, PooledGreenlet greenlet) except -1
