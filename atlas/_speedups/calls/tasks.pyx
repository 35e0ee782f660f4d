"""Real asyncio tasks whose first step runs at once.

Most requests are answered without ever waiting. Their task is done when it has been made, and the event loop never hears
of it. The task is asyncio's own all the same, with a fresh context, and the current one from the first step on, so that
``asyncio.timeout``, anyio, sniffio and cancellation are right.

Python 3.12 and newer start a task eagerly when asked to. In 3.11 a new task asks its loop to ``call_soon`` its first
step: while the constructor runs, and only then, that call is answered by us. The step is known by its context, which
nobody else has; whatever else is scheduled meanwhile (a finalizer may run at any allocation) goes on to the loop. It is
compiled because it is on the path of every request: as Python it was a third of all instructions that a small request
takes.
"""

import sys

from cpython.dict cimport PyDict_DelItem, PyDict_SetItem

cdef extern from "Python.h":
    int PyContext_Enter(object context) except -1
    int PyContext_Exit(object context) except -1

cdef str NAME = "atlas request"


cdef class EagerTasks:
    """Makes tasks on one event loop.

    :param loop: the running one whenever a task is made.
    :param task_type: ``asyncio.Task``.
    """

    def __cinit__(self, loop, task_type):
        self.loop = loop
        self.task_type = task_type
        self.eager = sys.version_info >= (3, 12)
        self.own = None if self.eager else getattr(loop, "__dict__", None)
        self.stand_in = self.catch_step

    def close(self):
        """Cut the cycle; no task is made afterwards."""
        self.stand_in = None

    def make(self, coroutine, context):
        """Python's view of :meth:`spawn`, for tests."""
        return self.spawn(coroutine, context)

    cdef object spawn(self, object coroutine, object context):
        """A task whose first step has been run; or will be, where the loop can't be told otherwise."""
        if self.own is not None:
            return self.spawn_stepping(coroutine, context)
        if not self.eager:
            return self.task_type(coroutine, loop=self.loop, context=context, name=NAME)
        try:
            return self.task_type(coroutine, loop=self.loop, context=context, name=NAME, eager_start=True)
        except (KeyboardInterrupt, SystemExit) as error:
            self.interrupt(error)
            return self.stopped(error)

    cdef object spawn_stepping(self, object coroutine, object context):
        cdef object task
        cdef object step
        self.step_context = context
        self.replaced = self.own.get("call_soon")  # somebody may have put one of his own there
        PyDict_SetItem(self.own, "call_soon", self.stand_in)
        try:
            task = self.task_type(coroutine, loop=self.loop, context=context, name=NAME)
        finally:
            if self.replaced is None:
                PyDict_DelItem(self.own, "call_soon")
            else:
                PyDict_SetItem(self.own, "call_soon", self.replaced)
            step = self.step
            self.step = self.step_context = None
        self.run_step(step, context)
        return task

    def catch_step(self, callback, *args, context=None):
        """Stands in for the loop's ``call_soon`` while a task is made."""
        if context is not None and context is self.step_context:
            self.step = callback
            return None
        if self.replaced is not None:
            return self.replaced(callback, *args, context=context)
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
        except (KeyboardInterrupt, SystemExit) as error:
            self.interrupt(error)
        finally:
            PyContext_Exit(context)
        return 0

    cdef int interrupt(self, object error) except -1:
        """An application wants to exit: it has failed, and the server goes on. An interrupt is the loop's to see."""
        if isinstance(error, KeyboardInterrupt):
            self.loop.call_soon(throw, error)
        return 0

    def stopped(self, error):
        """Stands for the task that a constructor didn't give back."""
        future = self.loop.create_future()
        future.set_exception(RuntimeError(f"the application raised {type(error).__name__}"))
        return future


def throw(error):
    """Raise it where the loop is looking."""
    raise error
