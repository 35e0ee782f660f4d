"""Carries requests to an application of our own: from exchange to controller, and the response back."""

from atlas._speedups.dispatch cimport Dispatch, Handler
from atlas._speedups.eager_tasks cimport EagerTasks
from atlas._speedups.exchange cimport Exchange
from atlas._speedups.request_view cimport RequestView


cdef class NativeCall:
    # Whom it calls, and the context that each request gets a copy of.
    cdef readonly Dispatch dispatch
    cdef object context
    cdef object current             # the context variable that names the current request

    # The application's ways: what makes a response of a result, and of an exception.
    cdef object convert
    cdef object errors

    # Greenlets of this thread: idle ones, what makes new ones, and where one leaves what came of its work.
    cdef list idle
    cdef object pool
    cdef object slot
    cdef Py_ssize_t most_idle
    cdef object waiting             # one that has to wait, and for what; until its task is made

    # The tasks of requests that are still being worked on, and what makes them.
    cdef readonly set tasks
    cdef EagerTasks maker
    cdef bint cancelling

    # Which classes of responses are sent as they are, with nothing to wait for.
    cdef dict plain_kinds
    cdef object plain_call

    # Methods.
    cdef int call(self, Exchange exchange) except -1
    cdef int answer(self, Exchange exchange, Handler handler, RequestView view) except -1
    cdef object run_here(self, Handler handler, RequestView view)
    cdef object run_in_greenlet(self, Exchange exchange, Handler handler, RequestView view, object context)
    cdef object as_response(self, Handler handler, RequestView view, object result)
    cdef object answer_now(self, RequestView view, object error)
    cdef object coroutine_of(self, Handler handler, RequestView view)
    cdef int follow(self, Exchange exchange, RequestView view, object coroutine, object context) except -1
    cdef int after_task(self, Exchange exchange, RequestView view, object task, object context) except -1
    cdef int after_error(self, Exchange exchange, RequestView view, object error, object context) except -1
    cdef int deliver(self, Exchange exchange, RequestView view, object response, object context) except -1
    cdef bint is_plain(self, object kind) except -1
    cdef int leave(self, RequestView view) except -1
    cdef int give_up(self, Exchange exchange, RequestView view, object error) except -1
    cdef int end(self, Exchange exchange, RequestView view) except -1
    cdef bint cancels(self, Exchange exchange) except -1
