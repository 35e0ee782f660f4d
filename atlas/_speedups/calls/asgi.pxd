"""Calls an ASGI application for each exchange, in a task whose first step runs at once."""

from atlas._speedups.calls.tasks cimport TaskStarter
from atlas._speedups.http.exchange cimport Exchange, Gateway


cdef class ASGICaller(Gateway):
    # The application, and the context that is copied for each request.
    cdef object app
    cdef object context

    cdef bint cancelling            # the server cancels the requests
    cdef TaskStarter starter        # creates a task where one is needed

    cdef int after_task(self, Exchange exchange, object task) except -1
    cdef int end(self, Exchange exchange, object error) except -1
