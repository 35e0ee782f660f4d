"""Real asyncio tasks whose first step runs at once."""


cdef class EagerTasks:
    cdef object loop
    cdef object task_type           # asyncio.Task

    # How a task's first step comes to be run by us. ``own``: the loop's attributes, where the step has to be caught.
    cdef bint eager                 # asyncio can do it itself
    cdef dict own
    cdef object stand_in
    cdef object replaced
    cdef object step_context
    cdef object step

    cdef object spawn(self, object coroutine, object context)
    cdef object spawn_stepping(self, object coroutine, object context)
    cdef int run_step(self, object step, object context) except -1
    cdef int interrupt(self, object error) except -1
