"""Carries requests to an application of our own: from exchange to controller, and the response back.

There is no scope, no event and no task on the way, unless somebody asks for the one, or has to wait. A plain handler is
called; one that may wait is called in a greenlet, and given a task once it does; one that is ``async def`` has a task
from the start. Whatever comes of it is a response, and most responses are sent in one piece.
"""

from functools import partial

from atlas._speedups.calls.greenlets cimport GreenletPool, PooledGreenlet
from atlas._speedups.calls.route_table cimport ASYNC, GREENLET, PLAIN, RouteTable, Handler
from atlas._speedups.calls.tasks cimport TaskStarter
from atlas._speedups.http.exchange cimport NO_RESPONSE, Exchange, Gateway
from atlas._speedups.calls.response cimport BaseResponse
from atlas._speedups.http.request_head cimport RequestHead
from atlas._speedups.calls.request cimport RequestData

from atlas.errors import ClientDisconnected

cdef extern from "Python.h":
    object PyContext_Copy(object context)
    int PyContext_Enter(object context) except -1
    int PyContext_Exit(object context) except -1
    object PyContextVar_Set(object variable, object value)


cdef class NativeCaller(Gateway):
    """Calls the handlers of an application's :class:`RouteTable` for each exchange.

    :param ways: what the application brings: ``dispatch``, ``current`` (a ContextVar of the current request), ``convert``
        (a result to a response, given the controller), ``errors`` (has ``answer`` and ``answer_now``) and ``plain_call``
        (the ``__call__`` of responses that are sent as they are).
    :param pool: of greenlets, used by nobody else.
    :param loop: the event loop; the running one whenever :meth:`start` is called.
    :param context: the :class:`contextvars.Context` that each request gets a copy of.
    :param task_type: ``asyncio.Task``.

    A subclass says what becomes of exceptions, and has the coroutines: ``failed(exchange, error)``,
    ``unfinished(exchange)``, ``watch(exchange)`` (a client that may be gone), and ``stream(response, exchange, view)``, a
    coroutine.
    """

    def __cinit__(self, ways, pool, loop, context, task_type):
        self.dispatch = ways.dispatch
        self.current = ways.current
        self.convert = ways.convert
        self.errors = ways.errors
        self.plain_call = ways.plain_call
        self.plain_kinds = {}
        self.pool = <GreenletPool?>pool
        self.context = context
        self.tasks = set()
        self.starter = TaskStarter(loop, task_type)

    # What a connection calls.

    cdef int disconnect(self, Exchange exchange) except -1:
        """The client is gone: its controller is cancelled where it waits, if it is one of those that are."""
        if exchange.task is not None and self.cancels(exchange):
            exchange.task.cancel()
        return 0

    cdef int half_close(self, Exchange exchange) except -1:
        """The client will send nothing more. Where the route asks for it, find out whether the client still reads."""
        if exchange.task is not None and (<Handler?>exchange.handle).cancel is True and exchange.probe():
            self.watch(exchange)
        return 0

    def cancel(self):
        """Cancel all requests that are still being worked on: the server stops."""
        self.cancelling = True
        for task in list(self.tasks):
            task.cancel()

    def close(self):
        """Cut the ties to the application."""
        self.starter.close()
        self.dispatch = self.errors = self.pool = self.context = None

    cdef bint cancels(self, Exchange exchange) except -1:
        cdef Handler handler = <Handler?>exchange.handle
        if handler.cancel is not None:
            return handler.cancel
        # Looking is nothing that has to be brought to its end, and what streams has lost its listener.
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
        if handler.kind == GREENLET:
            return self.run_in_greenlet(exchange, handler, view, context)
        PyContext_Enter(context)
        try:
            PyContextVar_Set(self.current, view)
            response = self.run_here(handler, view) if handler.kind == PLAIN else None
        finally:
            PyContext_Exit(context)
        if response is not None:
            return self.deliver(exchange, view, response, context)
        return self.follow(exchange, view, self.coroutine_of(handler, view), context)

    cdef object run_here(self, Handler handler, RequestData view):
        if handler.controller is None:
            return handler.call(view)
        try:
            return self.as_response(handler, view, handler.controller(view, *view._values))
        except Exception as error:
            return self.answer_now(view, error)

    cdef int run_in_greenlet(self, Exchange exchange, Handler handler, RequestData view, object context) except -1:
        cdef PooledGreenlet greenlet = self.pool.start(call_in_greenlet, self, handler, view, context)
        cdef object response
        cdef object error
        if not greenlet.call.done:
            return self.follow(exchange, view, (<object>self.pool).join(greenlet), context)
        response, error = greenlet.call.result, greenlet.call.error
        self.pool.release(greenlet)
        if error is None:
            return self.deliver(exchange, view, response, context)
        if handler.controller is None or not isinstance(error, Exception):
            raise error
        PyContext_Enter(context)
        try:
            response = self.answer_now(view, error)
        finally:
            PyContext_Exit(context)
        return self.deliver(exchange, view, response, context)

    cdef object answer_now(self, RequestData view, object error):
        """The response to an exception of a controller; what its traceback begins with is the way to it, and ours."""
        if error.__traceback__ is not None and error.__traceback__.tb_next is not None:
            error.__traceback__ = error.__traceback__.tb_next
        return self.errors.answer_now(view, error)

    cdef object as_response(self, Handler handler, RequestData view, object result):
        return result if isinstance(result, BaseResponse) else self.convert(result, handler.controller)

    cdef object coroutine_of(self, Handler handler, RequestData view):
        if handler.controller is None:
            return handler.call(view)
        return handler.controller(view, *view._values)

    # Waiting.

    cdef int follow(self, Exchange exchange, RequestData view, object coroutine, object context) except -1:
        """Let a coroutine, whose result is the response, run in a task."""
        cdef object task = self.starter.start(coroutine, context)
        cdef object error
        if task is None:
            error, value = self.starter.take_error(), self.starter.take_value()
            if error is not None:
                return self.after_error(exchange, view, error, context)
            return self.after_result(exchange, view, value, context)
        if task.done():
            return self.after_task(exchange, view, task, context)
        exchange.task = task
        self.tasks.add(task)
        task.add_done_callback(partial(self.ended, exchange, view, context))
        return 0

    def ended(self, Exchange exchange not None, RequestData view not None, context, task):
        """A task that didn't end with its first step is done now."""
        exchange.task = None
        self.tasks.discard(task)
        try:
            self.after_task(exchange, view, task, context)
        except BaseException as error:
            self.give_up(exchange, view, error)

    cdef int after_task(self, Exchange exchange, RequestData view, object task, object context) except -1:
        cdef object error
        if task.cancelled():
            try:
                task.exception()  # raises what the task has kept, whose traceback knows frames that know the task
            except BaseException:
                pass
            return self.end(exchange, view)
        error = task.exception()
        if error is not None:
            return self.after_error(exchange, view, error, context)
        return self.after_result(exchange, view, task.result(), context)

    cdef int after_result(self, Exchange exchange, RequestData view, object response, object context) except -1:
        """What a coroutine returned becomes a response."""
        cdef Handler handler = <Handler>exchange.handle
        if response is None and handler.controller is None:
            return self.end(exchange, view)  # the task was that of sending it
        if not isinstance(response, BaseResponse):
            try:
                response = context.run(self.convert, response, handler.controller)
            except Exception as failure:
                return self.after_error(exchange, view, failure, context)
        return self.deliver(exchange, view, response, context)

    cdef int after_error(self, Exchange exchange, RequestData view, object error, object context) except -1:
        """What a controller raised that has nothing around it becomes a response; anything else is given up."""
        cdef Handler handler = <Handler>exchange.handle
        if (
            handler.controller is None
            or exchange.response_state != NO_RESPONSE
            or not isinstance(error, Exception)
            or isinstance(error, ClientDisconnected)
        ):
            return self.give_up(exchange, view, error)
        if self.errors.waits:
            exchange.handle = Handler(None, "async", None, handler.cancel)  # a second failure is the last one
            return self.follow(exchange, view, self.errors.answer(view, error), context)
        return self.deliver(exchange, view, context.run(self.errors.answer_now, view, error), context)

    # The way back.

    cdef int deliver(self, Exchange exchange, RequestData view, object response, object context) except -1:
        """Send a response, and end."""
        cdef object kind = type(response)
        if self.is_plain(kind):
            if exchange.stream is not None:
                (<BaseResponse>response).send_to(exchange)
            return self.end(exchange, view)
        exchange.handle = Handler(None, "async", None, (<Handler>exchange.handle).cancel)
        return self.follow(exchange, view, self.stream(response, exchange, view), context)

    cdef bint is_plain(self, object kind) except -1:
        """Is a response of this class sent as it is? A class of its own way to be sent is not."""
        cdef object known = self.plain_kinds.get(kind)
        if known is None:
            known = issubclass(kind, BaseResponse) and kind.__call__ is self.plain_call
            for name in ("body", "raw_headers", "status_code"):
                known = known and getattr(kind, name) is getattr(BaseResponse, name)
            self.plain_kinds[kind] = known
        return known

    cdef int end(self, Exchange exchange, RequestData view) except -1:
        """The request is over."""
        cdef bint finished = exchange.end_application()
        self.leave(view)
        if not finished and not self.cancelling:
            self.unfinished(exchange)
        return 0

    cdef int leave(self, RequestData view) except -1:
        """The response is out, or there is none: what was to be done afterwards begins."""
        if view is not None:
            view._over = True
            if view._jobs is not None:
                self.dispatch.app.start_jobs(view)
        return 0

    cdef int give_up(self, Exchange exchange, RequestData view, object error) except -1:
        """There is no response, because of ``error``."""
        cdef bint gone = exchange.stream is None or exchange.stream.is_lost() or exchange.is_abandoned()
        if view is None or not view._over:
            exchange.end_application()
            self.leave(view)
        if not (gone and isinstance(error, ClientDisconnected)):
            self.failed(exchange, error)
        return 0


cdef object call_in_greenlet(object caller, object handler, object view):
    """Call a handler in the greenlet and the context of a request; its response."""
    PyContextVar_Set((<NativeCaller>caller).current, view)
    if (<Handler>handler).controller is None:
        return (<Handler>handler).call(view)
    return (<NativeCaller>caller).as_response(
        <Handler>handler, <RequestData>view, (<Handler>handler).controller(view, *(<RequestData>view)._values)
    )
