"""WebSockets: refuses wrong handshakes, and runs the application of the others in a task."""

from functools import partial
from types import CoroutineType

from atlas._speedups.calls.tasks cimport TaskStarter
from atlas._speedups.http.exchange cimport Exchange, Gateway
from atlas._speedups.websocket.events cimport WebSocketEvents
from atlas._speedups.websocket.handshake cimport asks_for_websocket
from atlas._speedups.websocket.session cimport WebSocketSession, new_session

from atlas.errors import ProtocolError

cdef list TEXT = [(b"content-type", b"text/plain; charset=utf-8")]
cdef list CLOSE = [(b"connection", b"close")]
# RFC 6455, section 4.4; RFC 9110, section 15.5.22
cdef list OTHER_VERSION = [(b"sec-websocket-version", b"13"), (b"upgrade", b"websocket"), (b"connection", b"upgrade")]


cdef bint is_handshake(Exchange exchange) except -1:
    """Whether a request asks for a WebSocket, and the server serves them."""
    return asks_for_websocket(exchange.head) and exchange.state.settings.ws != "none"


cdef WebSocketSession open_session(Exchange exchange):
    """Check a handshake, and refuse it if it is wrong, or if the server stops.

    :returns: its session; None if it was refused, and needs nothing more.
    """
    try:
        if exchange.state.is_stopping():
            raise ProtocolError(503, "the server stops")
        return new_session(exchange)
    except ProtocolError as error:
        exchange.state.events.on_request_refused(error, exchange.client)
        headers = TEXT + (OTHER_VERSION if error.status == 426 else CLOSE)
        exchange.respond(error.status, headers, f"{error.reason[0].upper()}{error.reason[1:]}.\n".encode())
    exchange.end_application()
    return None


cdef int start_asgi_session(Gateway gateway, TaskStarter starter, object app, object context, Exchange exchange) except -1:
    """Call an application for a handshake. Its first step runs before this returns.

    :param context: the :class:`contextvars.Context` that it runs in.
    """
    cdef WebSocketSession session = open_session(exchange)
    cdef WebSocketEvents events
    cdef object coroutine
    if session is None:
        return 0
    events = WebSocketEvents.__new__(WebSocketEvents, session)
    try:
        coroutine = app(events.scope(), events.receive, events.send)
    except Exception as error:
        # A coroutine function that does not take these arguments.
        return end_session(gateway, session, error)
    if type(coroutine) is not CoroutineType:
        coroutine = await_it(coroutine)
    return run_session(gateway, starter, session, coroutine, context)


async def await_it(awaitable):
    """Await an awaitable that is not a coroutine."""
    await awaitable


cdef int run_session(
    Gateway gateway, TaskStarter starter, WebSocketSession session, object coroutine, object context
) except -1:
    """Run a coroutine in a task, and end the session with it."""
    cdef object task = starter.start(coroutine, context)
    if task is None:
        starter.take_value()
        return end_session(gateway, session, starter.take_error())
    if task.done():
        return after_task(gateway, session, task)
    session.task = task
    gateway.tasks.add(task)
    task.add_done_callback(partial(ended, gateway, session))
    return 0


def ended(Gateway gateway not None, WebSocketSession session not None, task):
    """Called when a task that did not end with its first step is done."""
    session.task = None
    gateway.tasks.discard(task)
    after_task(gateway, session, task)


cdef int after_task(Gateway gateway, WebSocketSession session, object task) except -1:
    if not task.cancelled():
        return end_session(gateway, session, task.exception())
    try:
        task.exception()  # drops the task's CancelledError, whose traceback refers to the task
    except BaseException:
        pass
    session.end_application(True)
    return 0


cdef int end_session(Gateway gateway, WebSocketSession session, object error) except -1:
    """The application has returned, or raised ``error``."""
    cdef bint answered = session.end_application(error is not None)
    if error is not None:
        gateway.session_failed(session, error)
    elif not answered:
        gateway.session_unanswered(session)
    return 0
