"""Calls an ASGI application for an exchange, in a real task whose first step runs at once.

Most applications answer without ever waiting. Their task is done when ``start`` returns, and the event loop never hears
of it. The task is asyncio's own all the same, with a fresh context, and the current one from the first step on, so that
``asyncio.timeout``, anyio, sniffio and cancellation are right.

Python 3.12 and newer start a task eagerly when asked to. In 3.11 a new task asks its loop to ``call_soon`` its first
step: while the constructor runs, and only then, that call is answered by us. The step is known by its context, which
nobody else has; whatever else is scheduled meanwhile (a finalizer may run at any allocation) goes on to the loop. It is
compiled because it is on the path of every request: as Python it was a third of all instructions that a small request
takes.
"""

import inspect
import sys
from functools import partial
from types import CoroutineType

from cpython.dict cimport PyDict_DelItem, PyDict_SetItem

cdef extern from "Python.h":
    object PyContext_Copy(object context)
    int PyContext_Enter(object context) except -1
    int PyContext_Exit(object context) except -1

cdef str NAME = "atlas request"


cdef class ASGICall:
    """Calls ``app(scope, receive, send)`` for each exchange.

    :param app: an ASGI 3 application.
    :param loop: the event loop; the running one whenever :meth:`start` is called.
    :param context: the :class:`contextvars.Context` that each request gets a copy of.
    :param task_type: ``asyncio.Task``.

    A subclass says what becomes of exceptions: ``failed(exchange, error)`` and ``unfinished(exchange)``.
    """

    def __cinit__(self, app, loop, context, task_type):
        self.app = app if is_coroutine_function(app) else partial(awaited, app)
        self.loop = loop
        self.context = context
        self.tasks = set()
        self.task_type = task_type
        self.eager = sys.version_info >= (3, 12)
        self.own = None if self.eager else getattr(loop, "__dict__", None)
        self.stand_in = self.catch_step

    def start(self, Exchange exchange not None):
        """Begin to work on a request; most of the time it is answered, and its task done, when this returns."""
        self.call(exchange)

    def cancel(self):
        """Cancel all requests that are still being worked on: the server stops."""
        self.cancelling = True
        for task in list(self.tasks):
            task.cancel()

    def close(self):
        """Cut the tie to the application."""
        self.app = self.context = self.stand_in = None

    cdef int call(self, Exchange exchange) except -1:
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
        task = self.spawn(coroutine, context)
        if task.done():
            return self.end(exchange, task)
        exchange.task = task
        self.tasks.add(task)
        task.add_done_callback(partial(self.ended, exchange))
        return 0

    cdef object spawn(self, object coroutine, object context):
        """A task whose first step has been run; or will be, where the loop can't be told otherwise."""
        if self.own is not None:
            return self.spawn_stepping(coroutine, context)
        if not self.eager:
            return self.task_type(coroutine, loop=self.loop, context=context, name=NAME)
        try:
            return self.task_type(coroutine, loop=self.loop, context=context, name=NAME, eager_start=True)
        except (KeyboardInterrupt, SystemExit) as error:
            if isinstance(error, KeyboardInterrupt):
                self.loop.call_soon(throw, error)
            return self.stopped(error)

    cdef object spawn_stepping(self, object coroutine, object context):
        cdef object task
        cdef object step
        self.step_context = context
        PyDict_SetItem(self.own, "call_soon", self.stand_in)
        try:
            task = self.task_type(coroutine, loop=self.loop, context=context, name=NAME)
        finally:
            PyDict_DelItem(self.own, "call_soon")
            step = self.step
            self.step = self.step_context = None
        self.run_step(step, context)
        return task

    def catch_step(self, callback, *args, context=None):
        """Stands in for the loop's ``call_soon`` while a task is made."""
        if context is not None and context is self.step_context:
            self.step = callback
            return None
        return type(self.loop).call_soon(self.loop, callback, *args, context=context)

    cdef int run_step(self, object step, object context) except -1:
        """Run a task's first step as the loop would."""
        PyContext_Enter(context)
        try:
            step()
        except RuntimeError:
            # Another task is the current one (somebody drives the connection from within it): this one can't be
            # entered, and wasn't.
            self.loop.call_soon(step, context=context)
        except SystemExit:
            pass  # an application that wants to exit has failed; the task says so, and the server goes on
        except KeyboardInterrupt as error:
            self.loop.call_soon(throw, error)
        finally:
            PyContext_Exit(context)
        return 0

    def stopped(self, error):
        """Stands for the task that a constructor didn't give back: the loop is about to stop."""
        future = self.loop.create_future()
        future.set_exception(RuntimeError(f"the application raised {type(error).__name__}"))
        return future

    def ended(self, Exchange exchange not None, task):
        """A task that didn't end with its first step is done now."""
        exchange.task = None
        self.tasks.discard(task)
        self.end(exchange, task)

    cdef int end(self, Exchange exchange, object task) except -1:
        cdef bint finished = exchange.end_application()
        cdef object error
        if task.cancelled():
            if not finished and not self.cancelling:
                self.unfinished(exchange)
            return 0
        error = task.exception()
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


def throw(error):
    """Raise it where the loop is looking."""
    raise error
