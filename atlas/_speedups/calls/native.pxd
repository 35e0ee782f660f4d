"""Carries requests to an application of our own: from exchange to controller, and the response back."""

from atlas._speedups.calls.greenlets cimport GreenletPool
from atlas._speedups.calls.route_table cimport RouteTable, Handler
from atlas._speedups.calls.tasks cimport TaskStarter
from atlas._speedups.http.exchange cimport Exchange, Gateway
from atlas._speedups.calls.request cimport RequestData


cdef class NativeCaller(Gateway):
    # Whom it calls, and the context that each request gets a copy of.
    cdef readonly RouteTable dispatch
    cdef object context
    cdef object current             # the context variable that names the current request

    # The application's ways: what makes a response of a result, and of an exception.
    cdef object convert
    cdef object errors

    # What runs sync code that may wait.
    cdef GreenletPool pool

    # What makes tasks.
    cdef TaskStarter starter
    cdef bint cancelling

    # Which classes of responses are sent as they are, with nothing to wait for.
    cdef dict plain_kinds
    cdef object plain_call

    # Methods.
    cdef int answer(self, Exchange exchange, Handler handler, RequestData view) except -1
    cdef object run_here(self, Handler handler, RequestData view)
    cdef int run_in_greenlet(self, Exchange exchange, Handler handler, RequestData view, object context) except -1
    cdef object as_response(self, Handler handler, RequestData view, object result)
    cdef object answer_now(self, RequestData view, object error)
    cdef object coroutine_of(self, Handler handler, RequestData view)
    cdef int follow(self, Exchange exchange, RequestData view, object coroutine, object context) except -1
    cdef int after_task(self, Exchange exchange, RequestData view, object task, object context) except -1
    cdef int after_result(self, Exchange exchange, RequestData view, object response, object context) except -1
    cdef int after_error(self, Exchange exchange, RequestData view, object error, object context) except -1
    cdef int deliver(self, Exchange exchange, RequestData view, object response, object context) except -1
    cdef bint is_plain(self, object kind) except -1
    cdef int leave(self, RequestData view) except -1
    cdef int give_up(self, Exchange exchange, RequestData view, object error) except -1
    cdef int end(self, Exchange exchange, RequestData view) except -1
    cdef bint cancels(self, Exchange exchange) except -1
