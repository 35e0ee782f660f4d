"""Calls an ASGI application for each exchange, in a task whose first step runs at once."""

import inspect
from functools import partial
from types import CoroutineType

from atlas._speedups.calls.tasks cimport TaskStarter
from atlas._speedups.http.exchange cimport Exchange, Gateway

cdef extern from "Python.h":
    object PyContext_Copy(object context)


cdef class ASGICaller(Gateway):
    """Calls ``app(scope, receive, send)`` for each exchange.

    A subclass has ``failed(exchange, error)`` and ``unfinished(exchange)``, which log failures.

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
