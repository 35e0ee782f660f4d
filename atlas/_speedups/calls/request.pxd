"""The request object of an application, over an exchange or over an ASGI scope."""

from atlas._speedups.http.exchange cimport Exchange


cdef class RequestCache:
    # Parsed values; None before the first access.
    cdef public object query        # MultiDict
    cdef public object cookies      # dict of str
    cdef public object form         # Form
    cdef public bytes body
    cdef public object ahead        # BodyReader, if a part of the body was read and can be read again

    # The state of the body and of the client.
    cdef public bint streamed       # the body was read in chunks, and is not kept
    cdef public bint disconnected   # the client has disconnected

    # Why no route matches; None if one does.
    cdef public object no_match


cdef class RequestData:
    # The application, the route, and the converted path parameters.
    cdef readonly object app
    cdef readonly object route
    cdef readonly tuple _values

    # The source: an exchange of the Atlas server; or a scope and a receive, under any other server.
    cdef Exchange exchange
    cdef dict given_scope
    cdef object given_receive

    # The body and parsed values; None before the first one. The sync and the async form of a request share it.
    cdef RequestCache cache

    # A list of the background tasks to start after the response, or None; and whether the response is finished.
    cdef public object _background_tasks
    cdef public bint _finished

    # A list of the ApplicationTasks of third-party ASGI applications that this request has started, or None.
    cdef public object _application_tasks

    # Methods.
    cdef int init(self, object app, object route, tuple values, Exchange exchange) except -1
    cdef dict existing_scope(self)
    cdef str decoded_path(self)
    cdef RequestCache get_cache(self)
