"""The compiled halves of the gateways in ``atlas/gateway``: they call an application for each exchange."""

from atlas._speedups.calls.greenlets cimport GreenletPool
from atlas._speedups.calls.handlers cimport Endpoint, Handler, RouteTable
from atlas._speedups.calls.request cimport RequestData
from atlas._speedups.calls.tasks cimport TaskStarter
from atlas._speedups.http.counters cimport Counters
from atlas._speedups.http.exchange cimport Exchange, Gateway


cdef class NativeCaller(Gateway):
    # The routes, and the context that is copied for each request.
    cdef readonly RouteTable route_table
    cdef object context
    cdef object current             # the context variable of the current request

    cdef GreenletPool pool          # runs sync code
    cdef TaskStarter starter        # creates a task where one is needed
    cdef bint cancelling            # the server cancels the requests

    # By response class, whether its responses are buffered: sent in one piece, without waiting.
    cdef dict buffered_types
    cdef object buffered_call       # the __call__ of buffered responses

    # By route, the group that its requests count in.
    cdef dict groups

    # Methods.
    cdef int group_of(self, Counters counters, object route) except -1
    cdef int start_session(self, Exchange exchange) except -1
    cdef int handle(self, Exchange exchange, Handler handler, RequestData request) except -1
    cdef int run_in_task(
        self, Exchange exchange, RequestData request, object coroutine, object context, Endpoint endpoint
    ) except -1
    cdef int after_task(
        self, Exchange exchange, RequestData request, object task, object context, Endpoint endpoint
    ) except -1
    cdef int after_result(
        self, Exchange exchange, RequestData request, object result, object context, Endpoint endpoint
    ) except -1
    cdef int after_error(
        self, Exchange exchange, RequestData request, object error, object context, Endpoint endpoint
    ) except -1
    cdef int send_response(self, Exchange exchange, RequestData request, object response, object context) except -1
    cdef bint is_buffered(self, object kind) except -1
    cdef int after_response(self, Exchange exchange, RequestData request) except -1
    cdef int end_with_error(self, Exchange exchange, RequestData request, object error) except -1
    cdef int end(self, Exchange exchange, RequestData request) except -1
    cdef bint cancels_on_disconnect(self, Exchange exchange) except -1


cdef class ASGICaller(Gateway):
    # The application, and the context that is copied for each request.
    cdef object app
    cdef object context

    cdef bint cancelling            # the server cancels the requests
    cdef TaskStarter starter        # creates a task where one is needed

    cdef int after_task(self, Exchange exchange, object task) except -1
    cdef int end(self, Exchange exchange, object error) except -1
