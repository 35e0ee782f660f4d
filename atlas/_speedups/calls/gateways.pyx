"""The compiled halves of the gateways in ``atlas/gateway``: they call an application for each exchange.

:class:`ASGICaller` calls an ASGI 3 application, in a task whose first step runs at once. :class:`NativeCaller` calls the
handlers of an Atlas application without ASGI: no scope and no events are created unless the application uses them; most
responses are buffered and sent in one piece.
"""

import inspect
from functools import partial
from types import CoroutineType

from cpython.dict cimport PyDict_GetItemWithError
from cpython.object cimport PyObject

from atlas._speedups.calls.greenlets cimport GreenletPool
from atlas._speedups.calls.handlers cimport (
    ASYNC, GREENLET, Endpoint, Handler, RouteTable, call_handler, call_in_greenlet, trim_traceback
)
from atlas._speedups.calls.request cimport RequestData
from atlas._speedups.calls.response cimport BaseResponse
from atlas._speedups.calls.sessions cimport is_handshake, open_session, run_session, start_asgi_session
from atlas._speedups.calls.tasks cimport TaskStarter
from atlas._speedups.http.counters cimport BY_APPLICATION, UNMATCHED, Counters
from atlas._speedups.http.exchange cimport NO_RESPONSE, Exchange, Gateway
from atlas._speedups.http.request_head cimport RequestHead
from atlas._speedups.websocket.messages cimport WebSocketMessages
from atlas._speedups.websocket.session cimport WebSocketSession

from atlas.errors import ClientDisconnected

cdef extern from "Python.h":
    object PyContext_Copy(object context)
    int PyContext_Enter(object context) except -1
    int PyContext_Exit(object context) except -1
    object PyContextVar_Set(object variable, object value)

# The method of the routes of WebSockets, and the note of a request that has the messages (atlas/web/scope_keys).
cdef str WEBSOCKET = "<websocket>"
cdef str MESSAGES = "atlas.messages"

cdef Py_ssize_t MAX_RESPONSE_TYPES = 256    # limit of buffered_types: a controller may create a class per request


cdef class NativeCaller(Gateway):
    """Calls the handlers of an application's :class:`RouteTable` for each exchange.

    A subclass has ``failed(exchange, error)``, ``unfinished(exchange)`` and ``upgrade_ignored(value)``, which log; ``watch(exchange)``,
    which looks for a reset by the client; ``session_failed(session, error)`` and ``session_unanswered(session)``, which log;
    and the coroutine functions ``stream(response, exchange, request)`` and ``close_applications(request)``.

    :param application: an :class:`atlas.gateway.native.NativeApplication`.
    :param pool: a pool of greenlets, used by this object only.
    :param loop: the event loop; it has to be the running one when :meth:`start` is called.
    :param context: the :class:`contextvars.Context` that is copied for each request.
    :param task_type: ``asyncio.Task``.
    """

    def __cinit__(self, application, pool, loop, context, task_type):
        self.route_table = application.route_table
        self.current = application.current
        self.buffered_call = application.buffered_call
        self.buffered_types = {}
        self.groups = {}
        self.pool = <GreenletPool?>pool
        self.context = context
        self.tasks = set()
        self.starter = TaskStarter(loop, task_type)

    # Called by the connection and the server.

    cdef int disconnect(self, Exchange exchange) except -1:
        """The client has disconnected: cancel the handler if its route allows it."""
        if exchange.task is not None and self.cancels_on_disconnect(exchange):
            exchange.task.cancel()
        return 0

    cdef int half_close(self, Exchange exchange) except -1:
        """The client has closed its side of the connection. If the route has ``cancel=True``, probe whether the client
        still reads."""
        if exchange.task is not None and (<Handler?>exchange.handle).cancel is True and exchange.probe():
            self.watch(exchange)
        return 0

    def watch_stream(self, Exchange exchange not None):
        """Let a disconnect cancel a stream whose first chunk is not there yet, unless its route has ``cancel=False``; probe
        a client that has closed its side of the connection."""
        cdef Handler handler
        if exchange.task is None:
            return
        handler = <Handler?>exchange.handle
        if handler.cancel is False:
            return
        exchange.handle = Handler(handler.call, handler.run_mode, True, handler.endpoint)
        if exchange.stream is None or exchange.stream.is_lost():
            self.disconnect(exchange)
        elif exchange.body is not None and exchange.body.half_closed:
            self.half_close(exchange)

    def cancel(self):
        """Cancel the unfinished requests; called when the graceful timeout has passed."""
        self.cancelling = True
        for task in list(self.tasks):
            task.cancel()

    def close(self):
        """Drop the references to the application."""
        self.starter.close()
        self.route_table = self.pool = self.context = None
        self.groups.clear()

    cdef bint cancels_on_disconnect(self, Exchange exchange) except -1:
        cdef Handler handler = <Handler?>exchange.handle
        if handler.cancel is not None:
            return handler.cancel
        # GET and HEAD are safe (RFC 9110, section 9.2.1), and a response that has started cannot be received any more.
        return exchange.response_state != NO_RESPONSE or exchange.head.method in ("GET", "HEAD")

    # From the exchange to the handler.

    cdef int start(self, Exchange exchange) except -1:
        """Call the handler of a request. A handler that does not wait has responded when this returns."""
        cdef RequestHead head = exchange.head
        cdef RouteTable route_table = self.route_table
        cdef RequestData request = None
        cdef Handler handler
        cdef tuple found
        cdef list no_match = None
        if head.upgrade is not None and is_handshake(exchange):
            return self.start_session(exchange)
        try:
            found = None if route_table.tree is None else route_table.tree.match(head.method, head.raw_path, False)
            if found is None:
                no_match = []
                found = route_table.match_fallback(head.method, head.raw_path, head.headers, no_match)
            if found is None:
                exchange.group = UNMATCHED
                handler = route_table.no_match_handler
                request = route_table.new_request(handler)
                request.init(route_table.app, None, (), exchange)
                request.get_cache().no_match = no_match[0]
                if head.upgrade is not None:
                    self.upgrade_ignored(head.upgrade)
            else:
                if exchange.state.counters is not None:
                    exchange.group = self.group_of(exchange.state.counters, found[0])
                handler = route_table.handler(found[0], head.has_body)
                request = route_table.new_request(handler)
                request.init(route_table.app, found[0], <tuple>found[1], exchange)
            exchange.handle = handler
            self.handle(exchange, handler, request)
        except BaseException as error:
            self.end_with_error(exchange, request, error)
            self.starter.interrupt(error)
        return 0

    cdef int group_of(self, Counters counters, object route) except -1:
        """Return the group that the requests of a route count in: its path, with the names of its parameters."""
        cdef PyObject* known = PyDict_GetItemWithError(self.groups, route)
        if known is not NULL:
            return <int?><object>known
        self.groups[route] = group = counters.group(route.path)
        return <int>group

    cdef int start_session(self, Exchange exchange) except -1:
        """Call the handler of a WebSocket. A mounted application is called over ASGI events."""
        cdef RequestHead head = exchange.head
        cdef RouteTable route_table = self.route_table
        cdef object context = PyContext_Copy(self.context)
        cdef RequestData request
        cdef Handler handler
        cdef WebSocketSession session
        cdef list no_match = []
        cdef tuple found = route_table.match_fallback(WEBSOCKET, head.raw_path, head.headers, no_match)
        cdef object route = None if found is None else found[0]
        if route is not None and route.is_mount:
            return start_asgi_session(self, self.starter, route_table.app, context, exchange)
        session = open_session(exchange)
        if session is None:
            return 0
        handler = route_table.no_match_handler if found is None else route_table.handler(route, False)
        request = route_table.new_request(handler)
        request.init(route_table.app, route, () if found is None else <tuple>found[1], exchange)
        if found is None:
            request.get_cache().no_match = no_match[0]
        exchange.get_notes()[MESSAGES] = WebSocketMessages.__new__(WebSocketMessages, session)
        return run_session(self, self.starter, session, route_table.app.serve_websocket(request, handler), context)

    cdef int handle(self, Exchange exchange, Handler handler, RequestData request) except -1:
        cdef object context = PyContext_Copy(self.context)
        cdef object response
        if handler.run_mode == GREENLET:
            response = call_in_greenlet(handler, request, self.pool, context, self.current)
            if isinstance(response, BaseResponse):
                return self.send_response(exchange, request, response, context)
            return self.run_in_task(exchange, request, response, context, None)
        PyContext_Enter(context)
        try:
            PyContextVar_Set(self.current, request)
        finally:
            PyContext_Exit(context)
        if handler.run_mode == ASYNC and handler.endpoint is not None:
            return self.run_in_task(
                exchange, request, handler.endpoint.call_controller(request), context, handler.endpoint
            )
        response = call_handler(handler, request, None, self.pool, context)
        if isinstance(response, BaseResponse):
            return self.send_response(exchange, request, response, context)
        return self.run_in_task(exchange, request, response, context, None)

    # Waiting.

    cdef int run_in_task(
        self, Exchange exchange, RequestData request, object coroutine, object context, Endpoint endpoint
    ) except -1:
        """Run a coroutine in a task. Its result is the response, or None if the coroutine has sent the response.

        :param endpoint: if the coroutine is that of a controller, the endpoint that converts its result. This does what
            ``endpoint.call_async`` does, without the cost of a second coroutine.
        """
        cdef object task = self.starter.start(coroutine, context)
        cdef object error
        if task is None:
            error, value = self.starter.take_error(), self.starter.take_value()
            if error is not None:
                return self.after_error(exchange, request, error, context, endpoint)
            return self.after_result(exchange, request, value, context, endpoint)
        if task.done():
            return self.after_task(exchange, request, task, context, endpoint)
        exchange.task = task
        self.tasks.add(task)
        task.add_done_callback(partial(self.ended, exchange, request, context, endpoint))
        return 0

    def ended(self, Exchange exchange not None, RequestData request not None, context, Endpoint endpoint, task):
        """Called when a task that did not end with its first step is done."""
        exchange.task = None
        self.tasks.discard(task)
        try:
            self.after_task(exchange, request, task, context, endpoint)
        except BaseException as error:
            self.end_with_error(exchange, request, error)

    cdef int after_task(
        self, Exchange exchange, RequestData request, object task, object context, Endpoint endpoint
    ) except -1:
        cdef object error
        if task.cancelled():
            try:
                task.exception()  # drops the task's CancelledError, whose traceback refers to the task
            except BaseException:
                pass
            return self.end(exchange, request)
        error = task.exception()
        if error is not None:
            return self.after_error(exchange, request, error, context, endpoint)
        return self.after_result(exchange, request, task.result(), context, endpoint)

    cdef int after_result(
        self, Exchange exchange, RequestData request, object result, object context, Endpoint endpoint
    ) except -1:
        cdef BaseResponse response = None
        if endpoint is None:
            if result is None:
                return self.end(exchange, request)
            return self.send_response(exchange, request, result, context)
        if isinstance(result, BaseResponse):
            response = <BaseResponse>result
        else:
            failure = None
            PyContext_Enter(context)
            try:
                response = endpoint.as_response(result)
            except Exception as error:
                trim_traceback(error)
                failure = error
            finally:
                PyContext_Exit(context)
            if failure is not None:
                return self.after_error(exchange, request, failure, context, endpoint)
        if response.pending:
            return self.run_in_task(exchange, request, endpoint.complete(request, response), context, None)
        return self.send_response(exchange, request, response, context)

    cdef int after_error(
        self, Exchange exchange, RequestData request, object error, object context, Endpoint endpoint
    ) except -1:
        """Convert an exception of a controller to a response; log any other."""
        if endpoint is None or not isinstance(error, Exception) or isinstance(error, ClientDisconnected):
            return self.end_with_error(exchange, request, error)
        return self.run_in_task(exchange, request, endpoint.on_error(request, error), context, None)

    # The response.

    cdef int send_response(self, Exchange exchange, RequestData request, object response, object context) except -1:
        """Send a response, and end the request."""
        if self.is_buffered(type(response)):
            if exchange.stream is not None:
                (<BaseResponse>response).send_to(exchange)
            return self.end(exchange, request)
        return self.run_in_task(exchange, request, self.stream(response, exchange, request), context, None)

    cdef bint is_buffered(self, object kind) except -1:
        """Whether responses of a class are buffered. A class that overrides ``__call__`` or an attribute is not."""
        cdef object known = self.buffered_types.get(kind)
        if known is None:
            known = issubclass(kind, BaseResponse) and kind.__call__ is self.buffered_call
            for name in ("body", "events", "raw_headers", "status_code"):
                known = known and getattr(kind, name) is getattr(BaseResponse, name)
            if len(self.buffered_types) >= MAX_RESPONSE_TYPES:
                self.buffered_types.clear()
            self.buffered_types[kind] = known
        return known

    cdef int end(self, Exchange exchange, RequestData request) except -1:
        """End a request whose response was sent, or whose task was cancelled."""
        cdef bint finished = exchange.end_application()
        self.after_response(exchange, request)
        if not finished and not self.cancelling:
            self.unfinished(exchange)
        return 0

    cdef int after_response(self, Exchange exchange, RequestData request) except -1:
        """Start the background tasks of a request, and close its ASGI applications whose responses were not sent."""
        cdef object task
        if request is not None:
            request._finished = True
            if request._background_tasks is not None:
                self.route_table.app.start_background_tasks(request)
            if request._application_tasks is not None:
                task = self.starter.start(self.close_applications(request), PyContext_Copy(self.context))
                if task is None:
                    error, _ = self.starter.take_error(), self.starter.take_value()
                    if error is not None:
                        raise error
                else:
                    self.tasks.add(task)
                    task.add_done_callback(self.tasks.discard)
        return 0

    cdef int end_with_error(self, Exchange exchange, RequestData request, object error) except -1:
        """End a request that failed with an exception, and log the exception."""
        cdef bint gone = exchange.stream is None or exchange.stream.is_lost() or exchange.is_abandoned()
        if request is None or not request._finished:
            exchange.end_application()
            self.after_response(exchange, request)
        if not (gone and isinstance(error, ClientDisconnected)):
            self.failed(exchange, error)
        return 0


cdef class ASGICaller(Gateway):
    """Calls ``app(scope, receive, send)`` for each exchange.

    A subclass has ``failed(exchange, error)``, ``unfinished(exchange)``, ``session_failed(session, error)`` and
    ``session_unanswered(session)``, which log failures, and ``upgrade_ignored(value)``, which logs an ``Upgrade`` field.

    :param app: an ASGI 3 application.
    :param loop: the event loop; it has to be the running one when :meth:`start` is called.
    :param context: the :class:`contextvars.Context` that is copied for each request.
    :param task_type: ``asyncio.Task``.
    """

    def __cinit__(self, app, loop, context, task_type):
        self.app = app if is_coroutine_function(app) else partial(awaited, app)
        self.context = context
        self.tasks = set()
        self.starter = TaskStarter(loop, task_type)

    def cancel(self):
        """Cancel the unfinished requests; called when the graceful timeout has passed."""
        self.cancelling = True
        for task in list(self.tasks):
            task.cancel()

    def close(self):
        """Drop the references to the application."""
        self.app = self.context = None
        self.starter.close()

    cdef int start(self, Exchange exchange) except -1:
        """Call the application. Its first step runs before this returns."""
        cdef object context = PyContext_Copy(self.context)
        cdef object coroutine
        cdef object task
        exchange.group = BY_APPLICATION
        if exchange.head.upgrade is not None:
            if is_handshake(exchange):
                return start_asgi_session(self, self.starter, self.app, context, exchange)
            self.upgrade_ignored(exchange.head.upgrade)
        try:
            coroutine = self.app(exchange.make_scope(), exchange.receive, exchange.send)
        except Exception as error:
            # A coroutine function that does not take these arguments.
            exchange.end_application()
            self.failed(exchange, error)
            return 0
        if type(coroutine) is not CoroutineType:
            coroutine = await_it(coroutine)
        task = self.starter.start(coroutine, context)
        if task is None:
            self.starter.take_value()
            return self.end(exchange, self.starter.take_error())
        if task.done():
            return self.after_task(exchange, task)
        exchange.task = task
        self.tasks.add(task)
        task.add_done_callback(partial(self.ended, exchange))
        return 0

    def ended(self, Exchange exchange not None, task):
        """Called when a task that did not end with its first step is done."""
        exchange.task = None
        self.tasks.discard(task)
        self.after_task(exchange, task)

    cdef int after_task(self, Exchange exchange, object task) except -1:
        if not task.cancelled():
            return self.end(exchange, task.exception())
        if not exchange.end_application() and not self.cancelling:
            self.unfinished(exchange)
        return 0

    cdef int end(self, Exchange exchange, object error) except -1:
        cdef bint finished = exchange.end_application()
        if error is not None:
            self.failed(exchange, error)
        elif not finished:
            self.unfinished(exchange)
        return 0


def is_coroutine_function(app):
    """Whether calling ``app`` only creates a coroutine, so that all of its code runs in the task."""
    return inspect.iscoroutinefunction(app) or inspect.iscoroutinefunction(type(app).__call__)


async def awaited(app, scope, receive, send):
    """Call an application that is not ``async def``, and await the result: so all of its code runs in the task and the
    context of the request."""
    await app(scope, receive, send)


async def await_it(awaitable):
    """Await an awaitable that is not a coroutine."""
    await awaitable
