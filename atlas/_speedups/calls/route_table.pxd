"""What an application of our own has for each request: the tree of its routes, and what answers them."""

from atlas._speedups.calls.handlers cimport Handler
from atlas._speedups.calls.request cimport RequestData
from atlas._speedups.calls.router cimport RouteTree

cdef class RouteTable:
    # Whom it belongs to, and the classes of its requests.
    cdef readonly object app
    cdef object sync_type
    cdef object async_type

    # The routes; None until they are there, or where a tree does not know the whole answer.
    cdef RouteTree tree
    cdef dict handlers              # by route: a pair of handlers, for requests with a body and without
    cdef Handler missing
    cdef bint ready

    cdef tuple look_up(self, str method, bytes path, object fields, list miss)
    cdef Handler handler(self, object route, bint has_body)
    cdef RequestData new_view(self, Handler handler)
