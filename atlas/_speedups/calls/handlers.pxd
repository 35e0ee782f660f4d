"""Calls the handler of a request."""

from atlas._speedups.calls.greenlets cimport GreenletPool
from atlas._speedups.calls.request cimport RequestData
from atlas._speedups.calls.response cimport BaseResponse
from atlas._speedups.calls.router cimport RouteTree

cpdef enum RunMode:
    INLINE          # called; cannot wait
    GREENLET        # called in a greenlet, where it can wait
    ASYNC           # awaited


cdef class Endpoint:
    # The controller, and how it runs.
    cdef readonly object controller
    cdef readonly RunMode run_mode

    # Converts a result to a response; converts an exception to a response; waits for an awaitable in a greenlet.
    cdef object convert
    cdef object on_error
    cdef object wait

    cdef object call_controller(self, RequestData request)
    cdef BaseResponse as_response(self, object result)
    cdef object call_sync(self, RequestData request)
    cdef object call_in_task(self, RequestData request)


cdef class Hooks:
    # The hooks, tuples (index, function, waits), and the number of middlewares.
    cdef tuple before
    cdef tuple after
    cdef Py_ssize_t count
    cdef bint waits                 # whether the step is awaited as a whole

    # The inner step; converts an exception to a response.
    cdef object inner
    cdef object on_error


cdef class Handler:
    # Takes a request and returns a response, or an awaitable of one if the mode is ASYNC. ``endpoint`` is set if there
    # is no middleware around the controller; ``call`` is its method then.
    cdef readonly object call
    cdef readonly RunMode run_mode
    cdef Endpoint endpoint

    # Whether a disconnect of the client cancels it; None: with GET and HEAD, and after the response has started.
    cdef readonly object cancel


cdef object respond(Handler handler, RequestData request)
cdef object call_in_greenlet(Handler handler, RequestData request, GreenletPool pool, object context, object current)
cdef object respond_in_greenlet(object handler, object request, object current)
cdef int trim_traceback(object error) except -1
cpdef object call_handler(Handler handler, RequestData request, object greenlets, object pool=*, object context=*)
cpdef object run_now(object coroutine)


cdef class RouteTable:
    # The application, and its request classes.
    cdef readonly object app
    cdef object sync_type
    cdef object async_type

    # The routes; None before the first call of fill, and if routes depend on the host.
    cdef RouteTree tree
    cdef dict handlers              # by route: a pair of handlers, for requests with a body and without
    cdef Handler no_match_handler
    cdef bint ready

    # Methods.
    cdef tuple match_fallback(self, str method, bytes path, object fields, list no_match)
    cdef Handler handler(self, object route, bint has_body)
    cdef tuple handler_pair(self, object route)
    cdef RequestData new_request(self, Handler handler)
