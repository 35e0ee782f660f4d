"""Calls an ASGI application for an exchange, in a real task whose first step runs at once."""

from atlas._speedups.exchange cimport Exchange


cdef class ASGICall:
    # What is called, where, and the context that each request gets a copy of.
    cdef object app
    cdef object loop
    cdef object context

    # The tasks of requests that are still being worked on.
    cdef readonly set tasks
    cdef bint cancelling            # it is us who cancel them

    # How a task's first step comes to be run by us. ``own``: the loop's attributes, where the step has to be caught.
    cdef object task_type
    cdef bint eager                 # asyncio can do it itself
    cdef dict own
    cdef object stand_in
    cdef object step_context
    cdef object step

    cdef int call(self, Exchange exchange) except -1
    cdef object spawn(self, object coroutine, object context)
    cdef object spawn_stepping(self, object coroutine, object context)
    cdef int run_step(self, object step, object context) except -1
    cdef int end(self, Exchange exchange, object task) except -1
