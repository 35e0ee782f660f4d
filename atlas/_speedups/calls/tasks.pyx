"""Tasks of requests, whose first step runs at once.

Most requests never wait, and creating a task costs more instructions than such a request. So the task is created before
its request: an ``asyncio.Task`` whose first step has not run, and to which only the starter refers (the spare task).
The coroutine of a request runs its first step with that task as the current one. If the coroutine ends there, the state
of the task is unchanged and there is no other reference to it, the next request uses the same task. If the coroutine
waits, or the application has kept or changed the task, it becomes the task of this request: it receives the outcome of
the first step, and the event loop runs it as any other task. ``asyncio.timeout``, anyio, sniffio and cancellation rely
on that.

The task of a request differs from one of ``loop.create_task`` in two ways: ``get_coro()`` is a proxy with the
attributes of the coroutine, and ``get_context()`` (Python 3.12) is not the context that the coroutine runs in.

A new task passes its first step to ``loop.call_soon``. While the spare task is created, and only then, a
:class:`StepCatcher` replaces that method.
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

# The set of tasks behind asyncio.all_tasks(). Up to Python 3.13 it is a WeakSet, whose methods are written in Python: a
# call would cost as much as the rest of a first step. So weak references are added to the set inside the WeakSet.
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
    """A task that is created before its request."""

    cdef int record_state(self) except -1:
        """Unregister the task from asyncio, and record its state while only the starter refers to it."""
        self.cancelling = type(self.task).cancelling
        self.get_name = type(self.task).get_name
        self.attributes = PyObject_GenericGetDict(self.task, NULL)
        self.entry = self.task if known_tasks is None else ref(self.task, known_tasks._remove)
        remove_entry(self.entry)
        self.task_references = Py_REFCNT(self.task)
        self.coroutine_references = Py_REFCNT(self.coroutine)
        self.weak_references = getweakrefcount(self.task)
        return 0

    cdef bint is_unchanged(self) except -1:
        """Whether the task has its recorded state and no new references, so that using it again is not noticeable."""
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

    :param loop: the event loop; it has to be the running one when :meth:`start` is called.
    :param task_type: ``asyncio.Task``.
    """

    def __cinit__(self, loop, task_type):
        self.loop = loop
        self.task_type = task_type
        self.get_task_factory = loop.get_task_factory
        self.loop_attributes = getattr(loop, "__dict__", None)

    def close(self):
        """Drop the spare task. :meth:`start` must not be called afterwards."""
        self.spare = None
        self.loop = self.get_task_factory = None

    cpdef object start(self, object coroutine, object context):
        """Run the first step of a coroutine in a task.

        :param coroutine: the coroutine.
        :param context: the :class:`contextvars.Context` that the coroutine runs in.
        :returns: the task; None if the coroutine has ended and needs no task: the caller then calls :meth:`take_value`
            and :meth:`take_error`.
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
            # Another task is the current one: it feeds the connection, as in a test.
            return self.create_task(coroutine, context)
        try:
            add_entry(spare.entry)
            status = atlas_first_step_run(spare.coroutine, coroutine, context)
        finally:
            leave_task(loop, spare.task)
        if status == PYGEN_NEXT:
            return self.hand_over(spare, context, True)
        if status == PYGEN_ERROR and isinstance(atlas_first_step_outcome(spare.coroutine), CancelledError):
            return self.hand_over(spare, context, False)
        remove_entry(spare.entry)
        if not spare.is_unchanged():
            return self.hand_over(spare, context, False)
        if status == PYGEN_RETURN:
            self.value = atlas_first_step_take(spare.coroutine)
        else:
            self.error = atlas_first_step_take(spare.coroutine)
            self.interrupt(self.error)
        return None

    cpdef object take_value(self):
        """Return, and drop, the result of a coroutine that needed no task; None if it raised."""
        value, self.value = self.value, None
        return value

    cpdef object take_error(self):
        """Return, and drop, the exception of a coroutine that needed no task; None if it returned."""
        error, self.error = self.error, None
        return error

    cdef SpareTask make_spare(self):
        """Create a spare task; return None if the loop does not allow it: no other one is created then."""
        cdef SpareTask spare = SpareTask.__new__(SpareTask)
        cdef StepCatcher catcher = StepCatcher.__new__(StepCatcher)
        catcher.loop = self.loop
        catcher.context = PyContext_New()
        catcher.replaced = self.loop_attributes.get("call_soon")  # set on this loop object by an application
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
        spare.record_state()
        self.spare = spare
        return spare

    cdef object hand_over(self, SpareTask spare, object context, bint waits):
        """Make the spare task the task of the request: run its step, which receives the outcome of the first step.

        :param waits: whether the coroutine waits; if it does not, the task is done afterwards.
        :returns: the task.
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
                # The step has used up the cancellation. Cancel the task where it waits, with the same count as before.
                task.cancel(message)
                task.uncancel()
        except (KeyboardInterrupt, SystemExit) as error:
            self.interrupt(error)
        finally:
            PyContext_Exit(context)
        return task

    cdef object create_task(self, object coroutine, object context):
        """Create a task with ``loop.create_task``, which calls the task factory if there is one."""
        try:
            return self.loop.create_task(coroutine, context=context, name=NAME)
        except TypeError:
            # A task factory without the parameter context, from before Python 3.11.
            return context.run(self.loop.create_task, coroutine)
        except (KeyboardInterrupt, SystemExit) as error:
            # An eager task factory has run the first step.
            self.error = error
            self.interrupt(error)
            return None

    cdef int interrupt(self, object error) except -1:
        """Raise KeyboardInterrupt in the event loop. SystemExit is an error of the application, and does not end the
        server."""
        if isinstance(error, KeyboardInterrupt):
            self.loop.call_soon(throw, error)
        return 0


@cython.final
cdef class StepCatcher:
    """Replaces the ``call_soon`` of a loop while a task is created, and takes its first step.

    The step is recognized by its context. Other calls (a finalizer may run at any allocation) are passed to the loop.
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
    """Raise an exception in a callback of the event loop."""
    raise error
