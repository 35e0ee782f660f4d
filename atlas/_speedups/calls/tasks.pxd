"""Tasks for requests, whose first step runs at once."""


cdef class SpareTask:
    # A task that waits for its first step, the coroutine it has, and that step.
    cdef readonly object task
    cdef object coroutine
    cdef object step

    # What asyncio keeps of it while it has a request, for asyncio.all_tasks().
    cdef object entry

    # Methods of its class.
    cdef object cancelling
    cdef object get_name

    # What it looks like while only the starter knows it.
    cdef dict attributes
    cdef Py_ssize_t task_references
    cdef Py_ssize_t coroutine_references
    cdef Py_ssize_t weak_references

    cdef int measure(self) except -1
    cdef bint is_untouched(self) except -1


cdef class TaskStarter:
    cdef object loop
    cdef object task_type           # asyncio.Task
    cdef object get_task_factory    # of the loop
    cdef dict loop_attributes       # where a new task's step is caught; None if it can't be

    # The task that the next request's first step runs in; None if it has yet to be made.
    cdef readonly SpareTask spare

    # How the last coroutine ended that needed no task; the caller takes both.
    cdef object value
    cdef object error

    # Methods.
    cpdef object start(self, object coroutine, object context)
    cpdef object take_value(self)
    cpdef object take_error(self)
    cdef SpareTask make_spare(self)
    cdef object give_away(self, SpareTask spare, object context, bint waits)
    cdef object create_task(self, object coroutine, object context)
    cdef int interrupt(self, object error) except -1
