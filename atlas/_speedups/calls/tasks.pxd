"""Tasks of requests, whose first step runs at once."""


cdef class SpareTask:
    # A task whose first step has not run, its coroutine (a FirstStep), and the callback that runs the step.
    cdef readonly object task
    cdef object coroutine
    cdef object step

    # The entry in the set of asyncio.all_tasks(), which the task has while it runs a request.
    cdef object entry

    # Methods of its class.
    cdef object cancelling
    cdef object get_name

    # The state of the task while only the starter refers to it.
    cdef dict attributes
    cdef Py_ssize_t task_references
    cdef Py_ssize_t coroutine_references
    cdef Py_ssize_t weak_references

    cdef int record_state(self) except -1
    cdef bint is_unchanged(self) except -1


cdef class TaskStarter:
    cdef object loop
    cdef object task_type           # asyncio.Task
    cdef object get_task_factory    # of the loop
    cdef dict loop_attributes       # where call_soon is replaced; None if no spare task can be created

    # The task for the first step of the next request; None before it is created.
    cdef readonly SpareTask spare

    # The outcome of the last coroutine that needed no task; the caller takes both.
    cdef object value
    cdef object error

    # Methods.
    cpdef object start(self, object coroutine, object context)
    cpdef object take_value(self)
    cpdef object take_error(self)
    cdef SpareTask make_spare(self)
    cdef object hand_over(self, SpareTask spare, object context, bint waits)
    cdef object create_task(self, object coroutine, object context)
    cdef int interrupt(self, object error) except -1
