"""Calls an ASGI application for an exchange, each time in a real task whose first step runs at once."""

import inspect
from functools import partial
from types import CoroutineType

from atlas._speedups.calls.tasks cimport TaskStarter
from atlas._speedups.http.exchange cimport Exchange, Gateway

cdef extern from "Python.h":
    object PyContext_Copy(object context)


cdef class ASGICaller(Gateway):
    """Calls ``app(scope, receive, send)`` for each exchange.

    :param app: an ASGI 3 application.
    :param loop: the event loop; the running one whenever :meth:`start` is called.
    :param context: the :class:`contextvars.Context` that each request gets a copy of.
    :param task_type: ``asyncio.Task``.

    A subclass says what becomes of exceptions: ``failed(exchange, error)`` and ``unfinished(exchange)``.
    """

    def __cinit__(self, app, loop, context, task_type):
        self.app = app if is_coroutine_function(app) else partial(awaited, app)
        self.context = context
        self.tasks = set()
        self.starter = TaskStarter(loop, task_type)

    def cancel(self):
        """Cancel all requests that are still being worked on: the server stops."""
        self.cancelling = True
        for task in list(self.tasks):
            task.cancel()

    def close(self):
        """Cut the tie to the application."""
        self.app = self.context = None
        self.starter.close()

    cdef int start(self, Exchange exchange) except -1:
        """Begin to work on a request; most are answered, and their task is done, when this returns."""
        cdef object context = PyContext_Copy(self.context)
        cdef object coroutine
        cdef object task
        try:
            coroutine = self.app(exchange.make_scope(), exchange.receive, exchange.send)
        except Exception as error:
            # A coroutine function was called with arguments that it doesn't take.
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
        """A task that didn't end with its first step is done now."""
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
    """Does calling ``app`` only make a coroutine, so that all of its code runs in the task?"""
    return inspect.iscoroutinefunction(app) or inspect.iscoroutinefunction(type(app).__call__)


async def awaited(app, scope, receive, send):
    """Call an application that isn't ``async def`` itself: what it does before it returns its awaitable belongs to the
    request's task and context as well."""
    await app(scope, receive, send)


async def await_it(awaitable):
    """A coroutine of what is only awaitable."""
    await awaitable
