"""A pool of greenlets that run function calls."""

from cpython.object cimport PyObject

# A compiled function that the pool runs in a greenlet.
ctypedef object (*work_type)(object first, object second, object third)


cdef class Call:
    # The function, its arguments, and the context variables that it runs with.
    cdef work_type work
    cdef object first
    cdef object second
    cdef object third
    cdef object context
    cdef bint entered               # the greenlet enters the context; else the context is set as its gr_context

    # The outcome.
    cdef bint done
    cdef object result
    cdef object error

    # The greenlet to switch to after the call, and whether this one runs another call.
    cdef object parent
    cdef bint once                  # the greenlet ends after this call
    cdef bint abandoned             # nothing refers to the PooledGreenlet: the greenlet ends

    cdef bint run_call(self) except -1


cdef class PooledGreenlet:
    cdef readonly object greenlet
    cdef Call call
    cdef object awaitable           # the argument of the await_ in which the call waits
    cdef bint started
    cdef PooledGreenlet next        # in the list of idle greenlets of the pool

    cdef int set_parent_to_current(self) except -1
    cdef int switch(self, PyObject* args) except -1
    cdef int start_deeper(self) except -1
    cdef int switch_from(self, char* padding) except -1
    cdef int leave_context(self) except -1


cdef class GreenletPool:
    cdef PooledGreenlet idle        # the first of a linked list; a list object would be resized by each call
    cdef readonly Py_ssize_t idle_count
    cdef readonly Py_ssize_t max_idle

    cdef PooledGreenlet take(self)
    cdef PooledGreenlet new(self)
    cdef PooledGreenlet start(self, work_type work, object first, object second, object third, object context)
    cdef int release(self, PooledGreenlet greenlet) except -1
