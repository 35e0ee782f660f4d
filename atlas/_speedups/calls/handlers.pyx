"""Calls the handler of a request.

A handler is a controller, or the chain of middleware around one. Its :class:`RunMode` is decided once, at startup.
:func:`call_handler` returns the response, or an awaitable of the response if the handler waits. The native gateway,
``Application.__call__`` and the steps of a chain all call handlers this way; they differ in what they do with the
response.
"""

cimport cython
from cpython.dict cimport PyDict_GetItemWithError
from cpython.object cimport PyObject

from atlas._speedups.calls.greenlets cimport GreenletPool, PooledGreenlet
from atlas._speedups.calls.request cimport RequestData
from atlas._speedups.calls.response cimport BaseResponse, own
from atlas._speedups.calls.router cimport RouteTree

cdef extern from "Python.h":
    int PyContext_Enter(object context) except -1
    int PyContext_Exit(object context) except -1
    object PyContextVar_Set(object variable, object value)
    int PyIter_Send(object iterator, object value, PyObject** result) except -1
    object Py_BuildValue(const char* format, PyObject* stolen)
    bint PyCoro_CheckExact(object object)

cdef int RETURNED = 0       # PYGEN_RETURN
cdef tuple CALLERS = ("/handlers.pyx", "/gateways.pyx")


@cython.final
cdef class Endpoint:
    """Calls a controller, and converts its result or its exception to a response.

    :param controller: called with the request and the path parameters by position.
    :param run_mode: how the endpoint runs.
    :param convert: ``convert(result, controller)`` converts a result that is not a response.
    :param on_error: ``on_error(request, error)`` returns the response to an exception; awaited if the mode is ASYNC.
    :param wait: ``wait(awaitable)`` waits in a greenlet; used if the mode is GREENLET.
    """

    def __cinit__(self, controller not None, RunMode run_mode, convert not None, on_error not None, wait=None):
        self.controller = controller
        self.run_mode = run_mode
        self.convert = convert
        self.on_error = on_error
        self.wait = wait

    def respond(self, RequestData request not None):
        """Call the controller, as the innermost step of a chain.

        :returns: the response, which middleware may change; an awaitable of it if the mode is ASYNC.
        :raises ClientDisconnected: if the client has disconnected. No other Exception is raised.
        """
        return self.call_async(request) if self.run_mode == ASYNC else own(self.call_sync(request))

    cdef object call_controller(self, RequestData request):
        """Call the controller and return its result."""
        cdef tuple values = request._values
        return self.controller(request, *values) if values else self.controller(request)

    cdef BaseResponse as_response(self, object result):
        return <BaseResponse?>(result if isinstance(result, BaseResponse) else self.convert(result, self.controller))

    cdef object call_sync(self, RequestData request):
        cdef BaseResponse response
        cdef tuple values = request._values
        try:
            # Not by call_controller, which would add an entry to the traceback.
            response = self.as_response(
                self.controller(request, *values) if values else self.controller(request)
            )
            if response.pending and self.run_mode == GREENLET:
                return <BaseResponse?>self.wait((<object>response).complete(request))
            return response
        except Exception as error:
            trim_traceback(error)
            return self.on_error(request, error)

    async def call_async(self, RequestData request not None):
        """Call an ``async def`` controller. The native gateway does this in steps, see ``NativeCaller.run_in_task``."""
        cdef object response = self.call_in_task(request)
        if not isinstance(response, BaseResponse):
            response = await response
        return own(response)

    cdef object call_in_task(self, RequestData request):
        """Run the first step of an ``async def`` controller in the current task.

        :returns: the response if the controller does not suspend; else an awaitable of it.
        """
        cdef object coroutine
        cdef object value
        cdef BaseResponse response
        cdef PyObject* result = NULL
        cdef int status
        cdef tuple values = request._values
        try:
            coroutine = self.controller(request, *values) if values else self.controller(request)
            if not PyCoro_CheckExact(coroutine):
                return self.after_await(request, coroutine)
            status = PyIter_Send(coroutine, None, &result)
            value = Py_BuildValue(b"N", result)
            if status != RETURNED:
                return self.after_await(request, Suspended(coroutine, value))
            response = self.as_response(value)
            return self.complete(request, response) if response.pending else response
        except Exception as error:
            trim_traceback(error)
            return self.on_error(request, error)

    async def after_await(self, RequestData request not None, awaitable):
        """Await the controller, and return the response."""
        cdef BaseResponse response
        try:
            response = self.as_response(await awaitable)
            return <BaseResponse?>(await (<object>response).complete(request)) if response.pending else response
        except Exception as error:
            trim_traceback(error)
            return await self.on_error(request, error)

    async def complete(self, RequestData request not None, response):
        """Complete a response that is pending, and return it."""
        try:
            return <BaseResponse?>(await response.complete(request))
        except Exception as error:
            return await self.on_error(request, error)


@cython.final
cdef class Suspended:
    """Awaits the rest of a coroutine whose first step has run.

    :param coroutine: the coroutine.
    :param yielded: the object that the first step yielded.
    """

    cdef object coroutine
    cdef object yielded

    def __cinit__(self, coroutine, yielded):
        self.coroutine = coroutine
        self.yielded = yielded

    def __await__(self):
        cdef object coroutine = self.coroutine
        cdef object yielded = self.yielded
        self.coroutine = self.yielded = None
        while True:
            try:
                yield yielded
            except GeneratorExit:
                coroutine.close()
                raise
            except BaseException as error:
                try:
                    yielded = coroutine.throw(error)
                except StopIteration as stop:
                    return stop.value
            else:
                return (yield from coroutine.__await__())


cdef int trim_traceback(object error) except -1:
    """Remove the entries of this module and of the gateway from the beginning of a traceback."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None and trace.tb_frame.f_code.co_filename.endswith(CALLERS):
        trace = trace.tb_next
    error.__traceback__ = trace
    return 0


@cython.final
cdef class Hooks:
    """A step of a chain: adjacent middlewares that have ``before`` or ``after``.

    A middleware is entered when its ``before`` has returned, or if it has none, when the next one is entered. ``after``
    is called, in reverse order, for those that were entered.

    :param before: tuples ``(index, function, waits)`` in order. ``function(request)`` returns a response or None; if
        ``waits`` is true, it may return an awaitable of that.
    :param after: the same in reverse order, with ``function(request, response)``.
    :param count: the number of middlewares.
    :param inner: the inner step.
    :param on_error: ``on_error(request, error)`` returns the response to an exception.
    :param waits: whether ``inner`` and ``on_error`` are awaited. If it is false, no function waits, and calling the
        step returns the response.
    """

    def __cinit__(
        self, tuple before not None, tuple after not None, Py_ssize_t count, inner not None, on_error not None, bint waits
    ):
        self.before = before
        self.after = after
        self.count = count
        self.inner = inner
        self.on_error = on_error
        self.waits = waits

    def respond(self, RequestData request not None):
        """Call the step.

        :returns: the response; an awaitable of it if the step waits.
        """
        coroutine = self.run(request)
        return coroutine if self.waits else run_now(coroutine)

    async def run(self, RequestData request not None):
        """Call the hooks and the inner step."""
        cdef Py_ssize_t entered = 0
        cdef Py_ssize_t index
        cdef tuple hook
        cdef object response = None
        try:
            for hook in self.before:
                entered = hook[0]
                response = hook[1](request)
                if response is not None:
                    if hook[2] and not isinstance(response, BaseResponse):
                        response = await response
                    if response is not None:
                        response = own(response)
                        entered += 1
                        break
            else:
                entered = self.count
                response = self.inner(request)
                if self.waits:
                    response = await response
        except Exception as error:
            trim_traceback(error)
            response = self.on_error(request, error)
            if self.waits:
                response = await response
        for hook in self.after:
            index = hook[0]
            if index >= entered:
                continue
            try:
                changed = hook[1](request, response)
                if changed is not None:
                    if hook[2] and not isinstance(changed, BaseResponse):
                        changed = await changed
                    if changed is not None:
                        response = changed
                        changed = None
            except Exception as error:
                trim_traceback(error)
                response = self.on_error(request, error)
                if self.waits:
                    response = await response
            response = own(response)  # the hook may have kept it, or returned one that it keeps
        return response


@cython.final
cdef class Handler:
    """The handler of a route: its controller, or the chain of middleware around it.

    :param call: takes a request and returns a response; an awaitable of one if the mode is ASYNC. It raises no
        Exception except ClientDisconnected.
    :param run_mode: how it runs.
    :param cancel: whether a disconnect of the client cancels it; None, the default: with GET and HEAD, and after the
        response has started.
    :param endpoint: the endpoint, if ``call`` is its method and there is no middleware; default None.
    """

    def __cinit__(self, call not None, RunMode run_mode, cancel=None, Endpoint endpoint=None):
        self.call = call
        self.run_mode = run_mode
        self.cancel = cancel
        self.endpoint = endpoint


cpdef object call_handler(Handler handler, RequestData request, object greenlets, object pool=None, object context=None):
    """Call a handler.

    A handler whose mode is ASYNC has to be called in the task of its request: its first step may run at once.

    :param handler: the handler.
    :param request: a request of the class for the mode of the handler.
    :param greenlets: the application's :class:`atlas.gateway.greenlets.Greenlets`.
    :param pool: the pool of greenlets; None, the default, for the pool of ``greenlets`` in this thread.
    :param context: the :class:`contextvars.Context` to call it in, which must not be entered; None, the default, for
        the current one.
    :returns: the response; an awaitable of it if the handler waits.
    :raises ClientDisconnected: if the client has disconnected. No other Exception is raised.
    """
    if handler.run_mode == GREENLET:
        return call_in_greenlet(handler, request, greenlets.pool if pool is None else pool, context, None)
    if handler.run_mode == ASYNC or context is None:
        return respond(handler, request)
    PyContext_Enter(context)
    try:
        return respond(handler, request)
    finally:
        PyContext_Exit(context)


cdef object respond(Handler handler, RequestData request):
    if handler.endpoint is None:
        return handler.call(request)
    return handler.endpoint.call_in_task(request) if handler.run_mode == ASYNC else handler.endpoint.call_sync(request)


cdef object call_in_greenlet(Handler handler, RequestData request, GreenletPool pool, object context, object current):
    """Call a handler in a greenlet of the pool.

    :param current: the context variable of the current request, which is set in the context; None if it is set already.
    :returns: the response; a coroutine of it if the handler waits.
    """
    cdef PooledGreenlet greenlet = pool.start(respond_in_greenlet, handler, request, current, context)
    cdef object result
    cdef object error
    if not greenlet.call.done:
        return (<object>pool).join(greenlet)
    result, error = greenlet.call.result, greenlet.call.error
    pool.release(greenlet)
    if error is None:
        return result
    try:
        raise error
    finally:
        error = None  # its traceback refers to this frame


cdef object respond_in_greenlet(object handler, object request, object current):
    """Run in the greenlet: call the handler."""
    if current is not None:
        PyContextVar_Set(current, request)
    return respond(<Handler>handler, <RequestData>request)


cpdef object run_now(object coroutine):
    """Run a coroutine that does not suspend, and return its result.

    :param coroutine: the coroutine.
    :raises RuntimeError: if it suspends.
    """
    cdef PyObject* result = NULL
    if PyIter_Send(coroutine, None, &result) == RETURNED:
        return Py_BuildValue(b"N", result)
    Py_BuildValue(b"N", result)
    coroutine.close()
    raise RuntimeError("expected a coroutine that does not wait, but it has suspended")


cdef bint has_body(dict scope) except -1:
    """Whether the request may have a body. With GET and HEAD this needs ``content-length`` or ``transfer-encoding``
    (RFC 9112, section 6)."""
    if scope["method"] not in ("GET", "HEAD"):
        return True
    for name, _ in scope["headers"]:
        if name == b"content-length" or name == b"transfer-encoding":
            return True
    return False


@cython.final
cdef class RouteTable:
    """The routes and handlers of an application.

    :param app: the application: has ``prepare()``, which calls :meth:`fill`, and ``match(method, path, fields)``, which
        is called where the tree is not sufficient.
    :param sync_type: the request class for handlers that are called.
    :param async_type: the request class for handlers that are awaited.
    """

    def __cinit__(self, app, sync_type, async_type):
        self.app = app
        self.sync_type = sync_type
        self.async_type = async_type

    def fill(self, tree, dict handlers not None, Handler no_match_handler not None):
        """Set the routes and their handlers.

        :param tree: the :class:`RouteTree`; None if routes depend on the host.
        :param handlers: for each route a pair of handlers, for requests with a body and without.
        :param no_match_handler: handles requests that no route matches.
        """
        self.handlers = handlers
        self.no_match_handler = no_match_handler
        self.tree = tree
        self.ready = True

    def clear(self):
        """Remove the routes: they are out of date, and have to be built again before the next request."""
        self.ready = False
        self.tree = None

    @property
    def is_ready(self):
        """Whether :meth:`fill` was called, and :meth:`clear` was not called since."""
        return self.ready

    def match(self, str method not None, bytes path not None, bint decoded=False):
        """Match a method and a path.

        :param decoded: whether the path is decoded, default False.
        :returns: the route and the path parameters; None if no route matches, or if there is no tree.
        """
        return None if self.tree is None else self.tree.match(method, path, decoded)

    def make_request(self, dict scope not None, receive, tuple found not None):
        """Create a request over an ASGI scope.

        :param scope: the scope, of type ``http``.
        :param receive: ASGI's ``receive``.
        :param found: the route and the path parameters, as :meth:`match` returns them.
        :returns: the request, of the class for its handler, and the handler.
        """
        cdef tuple pair = self.handler_pair(found[0])
        cdef Handler handler = <Handler>pair[1]
        cdef RequestData request
        if pair[0] is not handler:
            handler = <Handler>pair[has_body(scope) == 0]
        request = self.new_request(handler)
        request.init(self.app, found[0], <tuple>found[1], None)
        request.given_scope, request.given_receive = scope, receive
        return request, handler

    def get_handler(self, route, bint has_body):
        """Return the handler of a route.

        :param route: the route; None for requests that no route matches.
        :param has_body: whether the request may have a body.
        :raises KeyError: for an unknown route.
        """
        return self.handler(route, has_body)

    cdef tuple match_fallback(self, str method, bytes path, object fields, list no_match):
        """Match a request with ``app.match``, where the tree found no route or does not exist.

        :param fields: the header fields, for routes that depend on the host.
        :param no_match: if no route matches, the reason is appended to this list.
        :returns: the route and the path parameters; None if no route matches.
        """
        if not self.ready:
            self.app.prepare()
        result = self.app.match(method, path, fields)
        if type(result) is tuple:
            return <tuple>result
        no_match.append(result)
        return None

    cdef Handler handler(self, object route, bint has_body):
        cdef tuple pair
        if route is None:
            return self.no_match_handler
        pair = self.handler_pair(route)
        return <Handler>(pair[0] if has_body else pair[1])

    cdef tuple handler_pair(self, object route):
        """Return the handlers of a route, for requests with a body and without."""
        pair = PyDict_GetItemWithError(self.handlers, route)
        if pair is NULL:
            if not self.ready:
                self.app.prepare()  # another thread has added the route since the last call
            return <tuple?>self.handlers[route]
        return <tuple>pair

    cdef RequestData new_request(self, Handler handler):
        """Allocate a request of the class for a handler; the caller initializes it."""
        kind = self.async_type if handler.run_mode == ASYNC else self.sync_type
        return <RequestData>kind.__new__(kind)
