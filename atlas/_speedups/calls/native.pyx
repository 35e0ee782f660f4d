"""Carries requests to an application of our own: from exchange to controller, and the response back.

There is no scope, no event and no task on the way, unless one is asked for, or something has to wait. What the handler
gives is a response, or an awaitable of one, which gets a task. Most responses are sent in one piece.
"""

from functools import partial

from atlas._speedups.calls.greenlets cimport GreenletPool
from atlas._speedups.calls.handlers cimport ASYNC, GREENLET, Endpoint, Handler, call_handler, call_in_greenlet
from atlas._speedups.calls.request cimport RequestData
from atlas._speedups.calls.response cimport BaseResponse
from atlas._speedups.calls.route_table cimport RouteTable
from atlas._speedups.calls.tasks cimport TaskStarter
from atlas._speedups.http.exchange cimport NO_RESPONSE, Exchange, Gateway
from atlas._speedups.http.request_head cimport RequestHead

from atlas.errors import ClientDisconnected

cdef extern from "Python.h":
    object PyContext_Copy(object context)
    int PyContext_Enter(object context) except -1
    int PyContext_Exit(object context) except -1
    object PyContextVar_Set(object variable, object value)

cdef Py_ssize_t MOST_KINDS = 256    # classes of responses that are remembered; a controller may make one per request


cdef class NativeCaller(Gateway):
    """Calls the handlers of an application's :class:`RouteTable` for each exchange.

    :param application: the application: has ``dispatch``, ``current`` (a ContextVar of the current request),
        ``plain_call`` (the ``__call__`` of responses that are sent as they are) and ``start_jobs(request)``.
    :param pool: of greenlets, used by this object only.
    :param loop: the event loop; the running one whenever :meth:`start` is called.
    :param context: the :class:`contextvars.Context` that each request gets a copy of.
    :param task_type: ``asyncio.Task``.

    A subclass says what becomes of exceptions, and has the coroutines: ``failed(exchange, error)``,
    ``unfinished(exchange)``, ``watch(exchange)`` (a client that may be gone), and the coroutines
    ``stream(response, exchange, view)`` and ``close_applications(view)``.
    """

    def __cinit__(self, application, pool, loop, context, task_type):
        self.dispatch = application.dispatch
        self.current = application.current
        self.plain_call = application.plain_call
        self.plain_kinds = {}
        self.pool = <GreenletPool?>pool
        self.context = context
        self.tasks = set()
        self.starter = TaskStarter(loop, task_type)

    # What a connection calls.

    cdef int disconnect(self, Exchange exchange) except -1:
        """The client is gone: cancel the controller where it waits, if the route allows it."""
        if exchange.task is not None and self.cancels(exchange):
            exchange.task.cancel()
        return 0

    cdef int half_close(self, Exchange exchange) except -1:
        """The client will send nothing more. Where the route asks for it, find out whether the client still reads."""
        if exchange.task is not None and (<Handler?>exchange.handle).cancel is True and exchange.probe():
            self.watch(exchange)
        return 0

    def cancel(self):
        """Cancel the requests that are still worked on: the server stops."""
        self.cancelling = True
        for task in list(self.tasks):
            task.cancel()

    def close(self):
        """Cut the ties to the application."""
        self.starter.close()
        self.dispatch = self.pool = self.context = None

    cdef bint cancels(self, Exchange exchange) except -1:
        cdef Handler handler = <Handler?>exchange.handle
        if handler.cancel is not None:
            return handler.cancel
        # A request that only reads need not come to its end, and a stream has no reader any more.
        return exchange.response_state != NO_RESPONSE or exchange.head.method in ("GET", "HEAD")

    # From the exchange to the controller.

    cdef int start(self, Exchange exchange) except -1:
        """Begin to work on a request; most are answered when this returns."""
        cdef RequestHead head = exchange.head
        cdef RouteTable dispatch = self.dispatch
        cdef RequestData view = None
        cdef Handler handler
        cdef tuple found
        cdef list miss = None
        try:
            found = None if dispatch.tree is None else dispatch.tree.seek(head.method, head.raw_path, False)
            if found is None:
                miss = []
                found = dispatch.look_up(head.method, head.raw_path, head.headers, miss)
            if found is None:
                handler = dispatch.missing
                view = dispatch.new_view(handler)
                view.begin(dispatch.app, None, (), exchange)
                view.get_cache().no_match = miss[0]
            else:
                handler = dispatch.handler(found[0], head.has_body)
                view = dispatch.new_view(handler)
                view.begin(dispatch.app, found[0], <tuple>found[1], exchange)
            exchange.handle = handler
            self.answer(exchange, handler, view)
        except BaseException as error:
            self.give_up(exchange, view, error)
            self.starter.interrupt(error)
        return 0

    cdef int answer(self, Exchange exchange, Handler handler, RequestData view) except -1:
        cdef object context = PyContext_Copy(self.context)
        cdef object response
        if handler.run_mode == GREENLET:
            response = call_in_greenlet(handler, view, self.pool, context, self.current)
            if isinstance(response, BaseResponse):
                return self.deliver(exchange, view, response, context)
            return self.follow(exchange, view, response, context, None)
        PyContext_Enter(context)
        try:
            PyContextVar_Set(self.current, view)
        finally:
            PyContext_Exit(context)
        if handler.run_mode == ASYNC and handler.endpoint is not None:
            return self.follow(exchange, view, handler.endpoint.call_controller(view), context, handler.endpoint)
        response = call_handler(handler, view, None, self.pool, context)
        if isinstance(response, BaseResponse):
            return self.deliver(exchange, view, response, context)
        return self.follow(exchange, view, response, context, None)

    # Waiting.

    cdef int follow(
        self, Exchange exchange, RequestData view, object coroutine, object context, Endpoint endpoint
    ) except -1:
        """Run a coroutine in a task. Its result is the response, or None if it has sent the response itself.

        ``endpoint``: where the coroutine is that of a controller, what makes a response of its result. This is
        ``endpoint.call_async`` in steps: a coroutine around each controller would cost more than all of it.
        """
        cdef object task = self.starter.start(coroutine, context)
        cdef object error
        if task is None:
            error, value = self.starter.take_error(), self.starter.take_value()
            if error is not None:
                return self.after_error(exchange, view, error, context, endpoint)
            return self.after_result(exchange, view, value, context, endpoint)
        if task.done():
            return self.after_task(exchange, view, task, context, endpoint)
        exchange.task = task
        self.tasks.add(task)
        task.add_done_callback(partial(self.ended, exchange, view, context, endpoint))
        return 0

    def ended(self, Exchange exchange not None, RequestData view not None, context, Endpoint endpoint, task):
        """A task that didn't end with its first step is done now."""
        exchange.task = None
        self.tasks.discard(task)
        try:
            self.after_task(exchange, view, task, context, endpoint)
        except BaseException as error:
            self.give_up(exchange, view, error)

    cdef int after_task(
        self, Exchange exchange, RequestData view, object task, object context, Endpoint endpoint
    ) except -1:
        cdef object error
        if task.cancelled():
            try:
                task.exception()  # raises what the task has kept, whose traceback knows frames that know the task
            except BaseException:
                pass
            return self.end(exchange, view)
        error = task.exception()
        if error is not None:
            return self.after_error(exchange, view, error, context, endpoint)
        return self.after_result(exchange, view, task.result(), context, endpoint)

    cdef int after_result(
        self, Exchange exchange, RequestData view, object result, object context, Endpoint endpoint
    ) except -1:
        cdef BaseResponse response = None
        if endpoint is None:
            return self.end(exchange, view) if result is None else self.deliver(exchange, view, result, context)
        if isinstance(result, BaseResponse):
            response = <BaseResponse>result
        else:
            failure = None
            PyContext_Enter(context)
            try:
                response = endpoint.as_response(result)
            except Exception as error:
                failure = error
            finally:
                PyContext_Exit(context)
            if failure is not None:
                return self.after_error(exchange, view, failure, context, endpoint)
        if response.pending:
            return self.follow(exchange, view, endpoint.complete(view, response), context, None)
        return self.deliver(exchange, view, response, context)

    cdef int after_error(
        self, Exchange exchange, RequestData view, object error, object context, Endpoint endpoint
    ) except -1:
        """An exception of a controller becomes a response; any other is logged."""
        if endpoint is None or not isinstance(error, Exception) or isinstance(error, ClientDisconnected):
            return self.give_up(exchange, view, error)
        return self.follow(exchange, view, endpoint.on_error(view, error), context, None)

    # The way back.

    cdef int deliver(self, Exchange exchange, RequestData view, object response, object context) except -1:
        """Send a response, and end."""
        if self.is_plain(type(response)):
            if exchange.stream is not None:
                (<BaseResponse>response).send_to(exchange)
            return self.end(exchange, view)
        return self.follow(exchange, view, self.stream(response, exchange, view), context, None)

    cdef bint is_plain(self, object kind) except -1:
        """Is a response of this class sent as it is? A class of its own way to be sent is not."""
        cdef object known = self.plain_kinds.get(kind)
        if known is None:
            known = issubclass(kind, BaseResponse) and kind.__call__ is self.plain_call
            for name in ("body", "events", "raw_headers", "status_code"):
                known = known and getattr(kind, name) is getattr(BaseResponse, name)
            if len(self.plain_kinds) >= MOST_KINDS:
                self.plain_kinds.clear()
            self.plain_kinds[kind] = known
        return known

    cdef int end(self, Exchange exchange, RequestData view) except -1:
        """The request is over."""
        cdef bint finished = exchange.end_application()
        self.leave(exchange, view)
        if not finished and not self.cancelling:
            self.unfinished(exchange)
        return 0

    cdef int leave(self, Exchange exchange, RequestData view) except -1:
        """The response is out, or there is none: what was to be done afterwards begins."""
        cdef object task
        if view is not None:
            view._over = True
            if view._jobs is not None:
                self.dispatch.app.start_jobs(view)
            if view._applications is not None:
                task = self.starter.start(self.close_applications(view), PyContext_Copy(self.context))
                if task is None:
                    error, _ = self.starter.take_error(), self.starter.take_value()
                    if error is not None:
                        raise error
                else:
                    self.tasks.add(task)
                    task.add_done_callback(self.tasks.discard)
        return 0

    cdef int give_up(self, Exchange exchange, RequestData view, object error) except -1:
        """There is no response, because of ``error``."""
        cdef bint gone = exchange.stream is None or exchange.stream.is_lost() or exchange.is_abandoned()
        if view is None or not view._over:
            exchange.end_application()
            self.leave(exchange, view)
        if not (gone and isinstance(error, ClientDisconnected)):
            self.failed(exchange, error)
        return 0
