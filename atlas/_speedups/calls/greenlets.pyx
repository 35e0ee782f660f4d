"""A pool of greenlets that run function calls.

A ``def`` controller may wait, so it runs in a greenlet. The two switches are a large part of the instructions of a
small request, so this module uses greenlet's C interface: a switch passes no arguments and no result. Both are fields
of a :class:`Call`.

Ownership: the pool, or the caller that waits for a call, refers to the :class:`PooledGreenlet`, which refers to the
greenlet. The greenlet refers to the :class:`Call`, which refers to neither of them. A greenlet therefore ends when
nothing can switch to it any more.

Context variables: a call with a context of its own enters it inside the greenlet, whose own context is empty; greenlet
exchanges the contexts at each switch. A task cannot enter a context that is entered elsewhere. A call that waits
therefore leaves its context first; the context remains that of the suspended greenlet.
"""

from cpython.object cimport PyObject

import greenlet as library

cdef extern from "Python.h":
    void* PyCapsule_Import(const char* name, int no_block) except NULL
    int PyContext_Enter(object context) except -1
    int PyContext_Exit(object context) except -1

# Indices in greenlet's table of C functions. They are part of its ABI, so Atlas is compiled without its header.
cdef enum:
    GREENLET_TYPE = 0
    GREENLET_EXIT = 2
    GET_CURRENT = 4
    SWITCH = 6
    SET_PARENT = 7

ctypedef object (*get_current_type)()
ctypedef object (*switch_type)(object greenlet, PyObject* args, PyObject* kwargs)
ctypedef int (*set_parent_type)(object greenlet, object parent) except -1

cdef void** API = <void**>PyCapsule_Import("greenlet._C_API", 0)

if API[GREENLET_TYPE] != <void*>library.greenlet or API[GREENLET_EXIT] != <void*>library.GreenletExit:
    raise ImportError(f"expected the C interface of greenlet 3.1 or newer, got greenlet {library.__version__}")

cdef get_current_type get_current = <get_current_type>API[GET_CURRENT]
cdef switch_type switch_to = <switch_type>API[SWITCH]
cdef set_parent_type set_parent = <set_parent_type>API[SET_PARENT]

cdef object Greenlet = library.greenlet
cdef object GreenletExit = library.GreenletExit


cdef class Call:
    """The function call of a greenlet, and its outcome; also the function that the greenlet runs."""

    def __call__(self):
        """Run one call after another, until the greenlet ends."""
        while self.run_call():
            switch_to(self.parent, NULL, NULL)

    cdef bint run_call(self) except -1:
        """Run the call; return whether the greenlet remains for another one."""
        cdef work_type work = self.work
        if work == NULL:
            raise RuntimeError("expected a pool to start the call")
        self.work = NULL
        if self.entered:
            PyContext_Enter(self.context)
        else:
            get_current().gr_context = self.context
        try:
            self.result = work(self.first, self.second, self.third)
        except GreenletExit:
            raise
        except BaseException as error:
            if error.__traceback__ is not None:
                error.__traceback__ = error.__traceback__.tb_next  # without the entry of this function
            self.error = error
        finally:
            if self.entered:
                self.entered = False
                PyContext_Exit(self.context)
            else:
                get_current().gr_context = None
            self.first = self.second = self.third = self.context = None  # an idle greenlet keeps no objects alive
        self.done = True
        return not self.once and not self.abandoned


cdef class PooledGreenlet:
    """A greenlet and its call."""

    def __dealloc__(self):
        if self.call is not None:
            self.call.abandoned = True

    @property
    def done(self):
        """Whether the call has returned or raised."""
        return self.call.done

    def next_awaitable(self):
        """Return the awaitable that the call waits for.

        :raises RuntimeError: if the greenlet was killed.
        """
        if self.greenlet.dead:
            raise RuntimeError("a greenlet was ended before its call was done")
        awaitable, self.awaitable = self.awaitable, None
        return awaitable

    def resume(self, value):
        """Resume the call with the result of the awaitable, until it waits again or is done.

        :param value: the result.
        """
        cdef tuple args = (value,)
        self.set_parent_to_current()
        self.switch(<PyObject*>args)

    def throw(self, error):
        """Resume the call with the exception of the awaitable, until it waits again or is done.

        :param error: the exception. Its traceback is kept, which greenlet's ``throw(error)`` would remove.
        """
        self.set_parent_to_current()
        awaitable = self.greenlet.throw(type(error), error, error.__traceback__)
        if not self.call.done:
            self.awaitable = awaitable

    cdef int set_parent_to_current(self) except -1:
        """Make the current greenlet the parent, to which this one switches back.

        It may differ from the last one: the first step of an eager task that sync code starts runs in the greenlet of
        that code, the next step in that of the event loop.
        """
        cdef object current = get_current()
        if self.call.parent is not current:
            set_parent(self.greenlet, current)
            self.call.parent = current
        return 0

    cdef int switch(self, PyObject* args) except -1:
        """Run the greenlet until its call waits or is done."""
        cdef object awaitable = switch_to(self.greenlet, args, NULL)
        if not self.call.done:
            self.awaitable = awaitable
        return 0

    cdef int start_deeper(self) except -1:
        """Start the greenlet at a lower address of the C stack than the callers that will switch to it.

        A switch copies the part of the caller's stack that is below the start of the greenlet; this way there is none.
        """
        cdef char[1024] padding
        self.started = True
        return self.switch_from(padding)

    cdef int switch_from(self, char* padding) except -1:
        return self.switch(NULL)

    cdef int leave_context(self) except -1:
        """Leave the context that the call has entered; it remains the context of the greenlet, which is suspended."""
        cdef object current = self.call.parent
        cdef object context = current.gr_context
        self.call.entered = False
        current.gr_context = self.call.context
        try:
            PyContext_Exit(self.call.context)
        finally:
            current.gr_context = context
        return 0


cdef class GreenletPool:
    """A pool of greenlets of one thread. Reusing a greenlet costs a fraction of creating one.

    A greenlet whose call neither returned nor raised is not used again.

    :param max_idle: maximum number of idle greenlets, default 64. A pool of 0 may be used by several threads.
    """

    def __cinit__(self, Py_ssize_t max_idle=64):
        self.max_idle = max_idle

    def __dealloc__(self):
        while self.idle is not None:
            self.idle = self.idle.next  # a loop, because the deallocation of a linked list would recurse

    def begin(self, function, args, kwargs=None):
        """Call a function in a greenlet, in the context of the caller, until it waits or is done.

        :param function: called with ``args`` and ``kwargs``; default of ``kwargs`` None.
        :returns: the :class:`PooledGreenlet`. While it is not ``done``, the caller awaits
            :meth:`~PooledGreenlet.next_awaitable` and passes the outcome to :meth:`~PooledGreenlet.resume` or
            :meth:`~PooledGreenlet.throw`.
        """
        return self.start(call_function, function, args, kwargs, None)

    def finish(self, PooledGreenlet greenlet not None):
        """Return the result of a call that is done, and make its greenlet available for another call.

        :raises RuntimeError: if the call is not done.
        :raises BaseException: the exception of the call.
        """
        if not greenlet.call.done:
            raise RuntimeError("expected a call that is done")
        cdef object result = greenlet.call.result
        cdef object error = greenlet.call.error
        self.release(greenlet)
        if error is None:
            return result
        try:
            raise error
        finally:
            error = None  # its traceback refers to this frame

    cdef PooledGreenlet start(self, work_type work, object first, object second, object third, object context):
        """Run a compiled function in a greenlet, until it waits or is done.

        :param context: the :class:`contextvars.Context` to run it in, which must not be entered; None for the caller's.
        """
        cdef PooledGreenlet greenlet = self.take()
        cdef Call call = greenlet.call
        greenlet.set_parent_to_current()
        call.work, call.first, call.second, call.third = work, first, second, third
        call.entered = context is not None
        call.context = context if call.entered else call.parent.gr_context
        if greenlet.started:
            greenlet.switch(NULL)
        else:
            greenlet.start_deeper()
        if call.entered:
            greenlet.leave_context()
        return greenlet

    cdef PooledGreenlet take(self):
        """Return the idle greenlet that was used last, or a new one."""
        cdef PooledGreenlet greenlet = self.idle
        if greenlet is None:
            return self.new()
        self.idle, greenlet.next = greenlet.next, None
        self.idle_count -= 1
        return greenlet

    cdef PooledGreenlet new(self):
        cdef PooledGreenlet greenlet = PooledGreenlet.__new__(PooledGreenlet)
        greenlet.call = Call.__new__(Call)
        greenlet.call.once = self.max_idle <= 0
        greenlet.greenlet = Greenlet(greenlet.call)
        greenlet.greenlet.atlas_call = greenlet.call
        # With this attribute SQLAlchemy's await_only() works in the greenlet, so that a sync Session works on async
        # drivers.
        greenlet.greenlet.__sqlalchemy_greenlet_provider__ = True
        return greenlet

    cdef int release(self, PooledGreenlet greenlet) except -1:
        """Forget a call that is done, and keep its greenlet if fewer than ``max_idle`` are idle."""
        greenlet.call.done = False
        greenlet.call.result = greenlet.call.error = None
        if self.idle_count < self.max_idle:
            self.idle, greenlet.next = greenlet, self.idle
            self.idle_count += 1
        return 0


cdef object call_function(object function, object args, object kwargs):
    return function(*args) if kwargs is None else function(*args, **kwargs)


def parent_of_current():
    """Return the greenlet to which the current one passes its awaitables; None if the current one is not of a pool."""
    cdef object current = get_current()
    cdef object call = getattr(current, "atlas_call", None)
    if isinstance(call, Call) and not (<Call>call).abandoned:
        return current.parent
    return None


def abandon_current():
    """Let nothing that runs in this greenlet wait any more: the process was forked, and the event loop is the parent's."""
    cdef object current = get_current()
    while current is not None:
        call = getattr(current, "atlas_call", None)
        if isinstance(call, Call):
            (<Call>call).abandoned = True
            current.__sqlalchemy_greenlet_provider__ = False
        current = current.parent
