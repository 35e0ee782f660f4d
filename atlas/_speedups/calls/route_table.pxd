"""What an application of our own has for each request: the tree of its routes, and what answers them."""

from atlas._speedups.calls.request cimport RequestData
from atlas._speedups.calls.router cimport RouteTree

cdef enum Colour:
    PLAIN           # called
    GREENLET        # called in a greenlet, because it may wait
    ASYNC           # awaited


cdef class Handler:
    # What takes a request and gives a response. ``controller``, where nothing stands around it: it is called with the
    # parameters of the path, what it returns has to be made a response, and what it raises as well.
    cdef readonly object call
    cdef readonly object controller
    cdef Colour kind

    # Whether a client that leaves cancels it; None: with GET and HEAD, and while a response streams.
    cdef readonly object cancel


cdef class RouteTable:
    # Whom it belongs to, and the classes of its requests.
    cdef readonly object app
    cdef object plain_type
    cdef object async_type

    # The routes; None until they are there, or where a tree does not know the whole answer.
    cdef RouteTree tree
    cdef dict handlers              # by route: a pair of handlers, for requests with a body and without
    cdef Handler missing
    cdef bint ready

    cdef tuple look_up(self, str method, bytes path, object fields, list miss)
    cdef Handler handler(self, object route, bint has_body)
    cdef RequestData new_view(self, Handler handler)
