"""Calls an ASGI application for an exchange, each time in a real task whose first step runs at once."""

from atlas._speedups.calls.tasks cimport TaskStarter
from atlas._speedups.http.exchange cimport Exchange


cdef class ASGICaller:
    # What is called, and the context that each request gets a copy of.
    cdef object app
    cdef object context

    # The tasks of requests that are still being worked on.
    cdef readonly set tasks
    cdef bint cancelling            # it is us who cancel them

    # What makes them, where one is needed.
    cdef TaskStarter starter

    cdef int call(self, Exchange exchange) except -1
    cdef int after_task(self, Exchange exchange, object task) except -1
    cdef int end(self, Exchange exchange, object error) except -1
