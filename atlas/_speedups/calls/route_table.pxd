"""The routes of an Atlas application, and the handler of each."""

from atlas._speedups.calls.handlers cimport Handler
from atlas._speedups.calls.request cimport RequestData
from atlas._speedups.calls.router cimport RouteTree

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
    cdef RequestData new_request(self, Handler handler)
