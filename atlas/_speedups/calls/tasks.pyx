"""Tasks for requests, whose first step runs at once.

Most requests are answered without ever waiting, and making a task costs more instructions than the answer. So the task is
made before its request: a real ``asyncio.Task`` whose first step has not run, and which only the starter knows (the spare
task). A request's coroutine runs its first step with that task as the current one. When it ends there, and neither the
task's state has changed nor a reference to it is left, the next request gets the same task. When the coroutine waits, or
the application has kept or changed the task, the task goes to this request for good: it is told what its first step came
to, and the event loop drives it as any other. ``asyncio.timeout``, anyio, sniffio and cancellation rely on that.

A request's task differs from one of ``loop.create_task`` in two ways: ``get_coro()`` is a stand-in with the attributes of
the coroutine, and ``get_context()`` (Python 3.12) is not the context that the coroutine runs in.

A new task asks its loop to ``call_soon`` its first step. While the spare task is made, and only then, that call is
answered by a :class:`StepCatcher`.
"""

import asyncio
import sys
from weakref import getweakrefcount, ref

cimport cython
from cpython.dict cimport PyDict_DelItem, PyDict_SetItem, PyDict_Size

cdef extern from "Python.h":
    object PyContext_New()
    int PyContext_Enter(object context) except -1
    int PyContext_Exit(object context) except -1
    object PyObject_GenericGetDict(object instance, void* context)
    Py_ssize_t Py_REFCNT(object instance) noexcept
    ctypedef enum PySendResult:
        PYGEN_RETURN
        PYGEN_ERROR
        PYGEN_NEXT

cdef extern from "first_step.h":
    ctypedef struct PyType_Spec:
        pass
    PyType_Spec atlas_first_step_spec
    object PyType_FromSpec(PyType_Spec* spec)
    object atlas_first_step_new(object type)
    PySendResult atlas_first_step_run(object first_step, object coroutine, object context) noexcept
    object atlas_first_step_outcome(object first_step)
    object atlas_first_step_take(object first_step)

FirstStep = PyType_FromSpec(&atlas_first_step_spec)

cdef str NAME = "atlas request"

cdef object enter_task = asyncio._enter_task
cdef object leave_task = asyncio._leave_task
cdef object CancelledError = asyncio.CancelledError

# How asyncio.all_tasks() comes to know a task. Up to Python 3.13 it is a WeakSet, whose methods are written in Python: each
# would cost as much as all else that a first step costs. So its elements are put into its set as they are.
cdef object known_tasks
cdef object add_entry
cdef object remove_entry
if sys.version_info >= (3, 14):
    known_tasks = None
    add_entry = asyncio._register_task
    remove_entry = asyncio._unregister_task
else:
    known_tasks = asyncio.tasks._all_tasks if sys.version_info < (3, 12) else asyncio.tasks._scheduled_tasks
    add_entry = known_tasks.data.add
    remove_entry = known_tasks.data.discard


@cython.final
cdef class SpareTask:
    """A task that is made before its request."""

    cdef int measure(self) except -1:
        """Make asyncio forget the task, and remember what it looks like while only the starter knows it."""
        self.cancelling = type(self.task).cancelling
        self.get_name = type(self.task).get_name
        self.attributes = PyObject_GenericGetDict(self.task, NULL)
        self.entry = self.task if known_tasks is None else ref(self.task, known_tasks._remove)
        remove_entry(self.entry)
        self.task_references = Py_REFCNT(self.task)
        self.coroutine_references = Py_REFCNT(self.coroutine)
        self.weak_references = getweakrefcount(self.task)
        return 0

    cdef bint is_untouched(self) except -1:
        """Is it as it was: no reference kept, nothing about it changed? Then no application can tell that it is used
        again."""
        cdef object task = self.task
        return (
            Py_REFCNT(self.task) == self.task_references + 1  # the local variable
            and Py_REFCNT(self.coroutine) == self.coroutine_references
            and getweakrefcount(task) == self.weak_references
            and PyDict_Size(self.attributes) == 0
            and task._callbacks is None
            and not task._must_cancel
            and self.cancelling(task) == 0
            and self.get_name(task) is NAME
        )


@cython.final
cdef class TaskStarter:
    """Starts coroutines on one event loop.

    :param loop: the running one whenever a coroutine is started.
    :param task_type: ``asyncio.Task``.
    """

    def __cinit__(self, loop, task_type):
        self.loop = loop
        self.task_type = task_type
        self.get_task_factory = loop.get_task_factory
        self.loop_attributes = getattr(loop, "__dict__", None)

    def close(self):
        """Drop the spare task; no coroutine is started afterwards."""
        self.spare = None
        self.loop = self.get_task_factory = None

    cpdef object start(self, object coroutine, object context):
        """Run the first step of a coroutine, in a task.

        :param context: a :class:`contextvars.Context` that the coroutine runs in.
        :returns: the task; None if the coroutine has ended and no task is needed: the caller then takes its value and
            its error, of which one is None.
        """
        cdef SpareTask spare
        cdef object loop = self.loop
        cdef PySendResult status
        if self.loop_attributes is None or self.get_task_factory() is not None:
            return self.create_task(coroutine, context)
        spare = self.spare
        if spare is None:
            try:
                spare = self.make_spare()
            except BaseException:
                coroutine.close()
                raise
            if spare is None:
                return self.create_task(coroutine, context)
        try:
            enter_task(loop, spare.task)
        except RuntimeError:
            # Another task is the current one: the connection is driven from within it.
            return self.create_task(coroutine, context)
        try:
            add_entry(spare.entry)
            status = atlas_first_step_run(spare.coroutine, coroutine, context)
        finally:
            leave_task(loop, spare.task)
        if status == PYGEN_NEXT:
            return self.give_away(spare, context, True)
        if status == PYGEN_ERROR and isinstance(atlas_first_step_outcome(spare.coroutine), CancelledError):
            return self.give_away(spare, context, False)
        remove_entry(spare.entry)
        if not spare.is_untouched():
            return self.give_away(spare, context, False)
        if status == PYGEN_RETURN:
            self.value = atlas_first_step_take(spare.coroutine)
        else:
            self.error = atlas_first_step_take(spare.coroutine)
            self.interrupt(self.error)
        return None

    cpdef object take_value(self):
        """What the coroutine returned that needed no task."""
        value, self.value = self.value, None
        return value

    cpdef object take_error(self):
        """What the coroutine raised that needed no task; None if it returned."""
        error, self.error = self.error, None
        return error

    cdef SpareTask make_spare(self):
        """A new spare task; None if its step was not to be caught: none is made for this loop then."""
        cdef SpareTask spare = SpareTask.__new__(SpareTask)
        cdef StepCatcher catcher = StepCatcher.__new__(StepCatcher)
        catcher.loop = self.loop
        catcher.context = PyContext_New()
        catcher.replaced = self.loop_attributes.get("call_soon")  # an application's own, on this loop object
        spare.coroutine = atlas_first_step_new(FirstStep)
        PyDict_SetItem(self.loop_attributes, "call_soon", catcher)
        try:
            spare.task = self.task_type(spare.coroutine, loop=self.loop, context=catcher.context, name=NAME)
        finally:
            if catcher.replaced is None:
                PyDict_DelItem(self.loop_attributes, "call_soon")
            else:
                PyDict_SetItem(self.loop_attributes, "call_soon", catcher.replaced)
        if catcher.step is None:
            self.loop_attributes = None
            return None
        spare.step = catcher.step
        spare.task._log_destroy_pending = False
        spare.measure()
        self.spare = spare
        return spare

    cdef object give_away(self, SpareTask spare, object context, bint waits):
        """Tell the spare task what its first step came to; it is the request's task from now on.

        :returns: the task, which is done if ``waits`` is false.
        """
        cdef object task = spare.task
        cdef object message = task._cancel_message
        cdef bint cancelled = waits and task._must_cancel
        self.spare = None
        task._log_destroy_pending = True
        PyContext_Enter(context)
        try:
            spare.step()
            if cancelled:
                # Its step has spent the cancellation. It is cancelled where it waits, and asked to once, as before.
                task.cancel(message)
                task.uncancel()
        except (KeyboardInterrupt, SystemExit) as error:
            self.interrupt(error)
        finally:
            PyContext_Exit(context)
        return task

    cdef object create_task(self, object coroutine, object context):
        """A task of the loop's making, which is a task factory's if there is one."""
        try:
            return self.loop.create_task(coroutine, context=context, name=NAME)
        except TypeError:
            # The task factory takes the loop and the coroutine only, as all did before Python 3.11.
            return context.run(self.loop.create_task, coroutine)
        except (KeyboardInterrupt, SystemExit) as error:
            # The task factory has run the first step.
            self.error = error
            self.interrupt(error)
            return None

    cdef int interrupt(self, object error) except -1:
        """An application that exits has failed, and the server goes on; an interrupt is raised in the event loop."""
        if isinstance(error, KeyboardInterrupt):
            self.loop.call_soon(throw, error)
        return 0


@cython.final
cdef class StepCatcher:
    """Stands in for the loop's ``call_soon`` while a task is made.

    The step is known by its context, which nothing else has. Whatever else is scheduled meanwhile (a finalizer may run at
    any allocation) goes on to the loop.
    """

    cdef object loop
    cdef object context
    cdef object replaced
    cdef object step

    def __call__(self, callback, *args, context=None):
        if context is not None and context is self.context:
            self.step = callback
            return None
        if self.replaced is not None:
            return self.replaced(callback, *args, context=context)
        return type(self.loop).call_soon(self.loop, callback, *args, context=context)


def throw(error):
    """Raise it in a callback of the event loop."""
    raise error
