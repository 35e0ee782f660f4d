"""A request as an application sees it: over an exchange, or over an ASGI scope."""

from atlas._speedups.http.exchange cimport Exchange


cdef class RequestData:
    # To whom it belongs, which route it takes, and the path's converted parameters.
    cdef readonly object app
    cdef readonly object route
    cdef readonly tuple _values

    # Where it comes from: an exchange of our own server; or else a scope and a receive, from whoever calls.
    cdef Exchange exchange
    cdef dict given_scope
    cdef object given_receive

    # What was read of it already.
    cdef public object _body        # bytes; None until the body was asked for
    cdef public object _read        # a dict of what was parsed; None until something was

    # Work for after the response, and whether that is out.
    cdef public object _jobs
    cdef public bint _over

    # ASGI applications that were started for this request; None until one was.
    cdef public object _applications

    # Methods.
    cdef int begin(self, object app, object route, tuple values, Exchange exchange) except -1
    cdef dict looked_at(self)
