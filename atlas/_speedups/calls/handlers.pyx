"""Calls a handler: the one place where a request meets the function that answers it.

A handler is a controller, or the chain of middleware around one. How it runs is decided once, at startup, by its
:class:`RunMode`. :func:`call_handler` gives the response, or an awaitable of the response where something has to wait.
The native gateway, ``Application.__call__`` and the steps of a chain all call handlers this way; they differ in what
they do with the response.
"""

cimport cython
from cpython.object cimport PyObject

from atlas._speedups.calls.greenlets cimport GreenletPool, PooledGreenlet
from atlas._speedups.calls.request cimport RequestData
from atlas._speedups.calls.response cimport BaseResponse

cdef extern from "Python.h":
    int PyContext_Enter(object context) except -1
    int PyContext_Exit(object context) except -1
    object PyContextVar_Set(object variable, object value)
    int PyIter_Send(object iterator, object value, PyObject** result) except -1
    object Py_BuildValue(const char* format, PyObject* stolen)
    bint PyCoro_CheckExact(object object)

cdef int RETURNED = 0       # PYGEN_RETURN


@cython.final
cdef class Endpoint:
    """The call of a controller. What it returns becomes a response, and so does an exception that it raises.

    :param controller: called with the request and the path parameters by position.
    :param run_mode: how the endpoint runs.
    :param convert: ``convert(result, controller)`` makes a response of any other result.
    :param on_error: ``on_error(request, error)`` gives the response to an exception; awaited if the mode is ASYNC.
    :param wait: waits for an awaitable in a greenlet; used if the mode is GREENLET.
    """

    def __cinit__(self, controller not None, RunMode run_mode, convert not None, on_error not None, wait=None):
        self.controller = controller
        self.run_mode = run_mode
        self.convert = convert
        self.on_error = on_error
        self.wait = wait

    def respond(self, RequestData request not None):
        """The response; an awaitable of it if the mode is ASYNC. No exception is raised but ClientDisconnected."""
        return self.call_async(request) if self.run_mode == ASYNC else self.call_sync(request)

    cdef object call_controller(self, RequestData request):
        """What the controller returns."""
        cdef tuple values = request._values
        return self.controller(request, *values) if values else self.controller(request)

    cdef BaseResponse as_response(self, object result):
        return <BaseResponse?>(result if isinstance(result, BaseResponse) else self.convert(result, self.controller))

    cdef object call_sync(self, RequestData request):
        cdef BaseResponse response
        cdef tuple values = request._values
        try:
            # As in call_controller, which would be one more entry in the traceback.
            response = self.as_response(
                self.controller(request, *values) if values else self.controller(request)
            )
            if response.pending and self.run_mode == GREENLET:
                return <BaseResponse?>self.wait((<object>response).complete(request))
            return response
        except Exception as error:
            trim(error)
            return self.on_error(request, error)

    async def call_async(self, RequestData request not None):
        """The same for an ``async def`` controller. The native gateway does this in steps, see ``NativeCaller``."""
        cdef object response = self.call_in_task(request)
        return response if isinstance(response, BaseResponse) else await response

    cdef object call_in_task(self, RequestData request):
        """The same in a task, the controller's first step at once: the response, if the controller does not suspend."""
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
            trim(error)
            return self.on_error(request, error)

    async def after_await(self, RequestData request not None, awaitable):
        """The response, once the controller has returned."""
        cdef BaseResponse response
        try:
            response = self.as_response(await awaitable)
            return <BaseResponse?>(await (<object>response).complete(request)) if response.pending else response
        except Exception as error:
            trim(error)
            return await self.on_error(request, error)

    async def complete(self, RequestData request not None, response):
        """A response that is pending, completed."""
        try:
            return <BaseResponse?>(await response.complete(request))
        except Exception as error:
            return await self.on_error(request, error)


@cython.final
cdef class Suspended:
    """Awaits the rest of a coroutine that was driven to the point where it first suspends.

    :param coroutine: the coroutine. :param yielded: what it yielded there.
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


cdef int trim(object error) except -1:
    """Drop the entries at the beginning of a traceback that are calls in this module."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None and trace.tb_frame.f_code.co_filename.endswith("handlers.pyx"):
        trace = trace.tb_next
    error.__traceback__ = trace
    return 0


@cython.final
cdef class Hooks:
    """The step of a chain for neighbours that have ``before`` or ``after``.

    A middleware counts as entered once its ``before`` has returned, or once it is passed if it has none. ``after`` is
    called, in reverse order, for those that were entered.

    :param before: tuples ``(place, function, waits)`` in order. ``function(request)`` gives a response or None; where
        ``waits`` is true, the result may be an awaitable of that.
    :param after: the same in reverse order; ``function(request, response)``.
    :param count: the number of middlewares.
    :param inner: the step inside.
    :param on_error: ``on_error(request, error)`` gives the response to an exception.
    :param waits: whether ``inner`` and ``on_error`` are awaited. If it is false, no function waits, and calling the step
        gives the response.
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
        """The response; an awaitable of it if the step waits."""
        coroutine = self.run(request)
        return coroutine if self.waits else run_now(coroutine)

    async def run(self, RequestData request not None):
        """Call the hooks and the step inside."""
        cdef Py_ssize_t entered = 0
        cdef Py_ssize_t place
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
                        entered += 1
                        break
            else:
                entered = self.count
                response = self.inner(request)
                if self.waits:
                    response = await response
        except Exception as error:
            response = self.on_error(request, error)
            if self.waits:
                response = await response
        for hook in self.after:
            place = hook[0]
            if place >= entered:
                continue
            try:
                changed = hook[1](request, response)
                if changed is not None:
                    if hook[2] and not isinstance(changed, BaseResponse):
                        changed = await changed
                    if changed is not None:
                        response = changed
            except Exception as error:
                response = self.on_error(request, error)
                if self.waits:
                    response = await response
        return response


@cython.final
cdef class Handler:
    """What answers a route.

    :param call: takes a request and gives a response; an awaitable of one if the mode is ASYNC. It raises no exception
        but ClientDisconnected.
    :param run_mode: how it runs.
    :param cancel: whether a client that disconnects cancels it; None for the usual rule.
    :param endpoint: the endpoint that ``call`` belongs to, where no middleware stands around the controller.
    """

    def __cinit__(self, call not None, RunMode run_mode, cancel=None, Endpoint endpoint=None):
        self.call = call
        self.run_mode = run_mode
        self.cancel = cancel
        self.endpoint = endpoint


cpdef object call_handler(Handler handler, RequestData request, object greenlets, object pool=None, object context=None):
    """Call a handler.

    :param greenlets: the application's :class:`atlas.gateway.greenlets.Greenlets`.
    :param pool: the pool of greenlets to use; None for the one of ``greenlets`` in this thread.
    :param context: the :class:`contextvars.Context` to call it in, which is not entered; None for the current one.
    :returns: the response, or an awaitable of it where something has to wait. A handler whose mode is ASYNC has to be
        called in the task of its request: its first step may run at once.
    :raises ClientDisconnected: if there is no client to answer. No other Exception is raised.
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
    """Call a handler in a greenlet of the pool: its response, or a coroutine of it once it waits.

    ``current``: the context variable that names the current request, to be set in the context; None if it is set.
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
        error = None  # its traceback knows this frame


cdef object respond_in_greenlet(object handler, object request, object current):
    """What the greenlet does."""
    if current is not None:
        PyContextVar_Set(current, request)
    return respond(<Handler>handler, <RequestData>request)
cpdef object run_now(object coroutine):
    """The result of a coroutine that never suspends.

    :raises RuntimeError: if it does suspend.
    """
    cdef PyObject* result = NULL
    if PyIter_Send(coroutine, None, &result) == RETURNED:
        return Py_BuildValue(b"N", result)
    Py_BuildValue(b"N", result)
    coroutine.close()
    raise RuntimeError("a function that runs without waiting has suspended")
