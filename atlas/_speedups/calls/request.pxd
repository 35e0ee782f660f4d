"""A request as an application sees it: over an exchange, or over an ASGI scope."""

from atlas._speedups.http.exchange cimport Exchange


cdef class RequestCache:
    # What was parsed; None until it was asked for.
    cdef public object query        # MultiDict
    cdef public object cookies      # dict of str
    cdef public object form         # Form
    cdef public bytes body

    # What is known of the body and of the client.
    cdef public bint streamed       # the body was read piece by piece, and is not kept
    cdef public bint disconnected   # the client has left

    # Why no route matches; None where a route does.
    cdef public object no_match


cdef class RequestData:
    # The application, the route, and the converted path parameters.
    cdef readonly object app
    cdef readonly object route
    cdef readonly tuple _values

    # The source: an exchange of the server of Atlas; or a scope and a receive, under any other server.
    cdef Exchange exchange
    cdef dict given_scope
    cdef object given_receive

    # What was read and parsed; None until something was. Both forms of a request share it.
    cdef RequestCache cache

    # Jobs to run after the response, and whether the response has been sent.
    cdef public object _jobs
    cdef public bint _over

    # ASGI applications that were started for this request; None until one was.
    cdef public object _applications

    # Methods.
    cdef int begin(self, object app, object route, tuple values, Exchange exchange) except -1
    cdef dict looked_at(self)
    cdef RequestCache get_cache(self)
