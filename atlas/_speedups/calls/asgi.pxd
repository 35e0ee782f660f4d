"""Calls an ASGI application for an exchange, each time in a real task whose first step runs at once."""

from atlas._speedups.calls.tasks cimport TaskStarter
from atlas._speedups.http.exchange cimport Exchange, Gateway


cdef class ASGICaller(Gateway):
    # What is called, and the context that each request gets a copy of.
    cdef object app
    cdef object context

    cdef bint cancelling            # the server cancels the tasks

    # What makes them, where one is needed.
    cdef TaskStarter starter

    cdef int after_task(self, Exchange exchange, object task) except -1
    cdef int end(self, Exchange exchange, object error) except -1
