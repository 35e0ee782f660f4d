"""Greenlets that are used again, one function call after another.

A request whose controller is a ``def`` function runs in one, because it may wait. The two switches and what is around
them are a large part of the instructions of a small request, so this module uses greenlet's C interface: a switch takes
no arguments and gives no result. Both are fields of a :class:`Call`.

Ownership: the pool, or the caller that waits for a call, holds the :class:`PooledGreenlet`, which holds the greenlet. The
greenlet holds the :class:`Call`, which holds neither of them. A greenlet therefore ends when nothing can switch to it any more.

Context variables: a call that brings its context enters it inside the greenlet, whose own context is empty, so that
greenlet exchanges the contexts with each switch. A task cannot enter a context that is entered elsewhere. A call that
waits therefore leaves its context first; the context stays the current one of the suspended greenlet.
"""

from cpython.object cimport PyObject

import greenlet as library

cdef extern from "Python.h":
    void* PyCapsule_Import(const char* name, int no_block) except NULL
    int PyContext_Enter(object context) except -1
    int PyContext_Exit(object context) except -1

# Indices of greenlet's table of C functions. They are part of its ABI, so the installed version need not be known when
# Atlas is compiled.
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
    """What a greenlet calls next, and what came of it; this is what the greenlet runs."""

    def __call__(self):
        """Carry out one call after another, until the greenlet ends."""
        while self.carry_out():
            switch_to(self.parent, NULL, NULL)

    cdef bint carry_out(self) except -1:
        """Do the work. Whether the greenlet stays for another call."""
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
                error.__traceback__ = error.__traceback__.tb_next  # it begins with this function
            self.error = error
        finally:
            if self.entered:
                self.entered = False
                PyContext_Exit(self.context)
            else:
                get_current().gr_context = None
            self.first = self.second = self.third = self.context = None  # an idle greenlet keeps nothing alive
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
        """What the call waits for.

        :raises RuntimeError: if the greenlet was made to exit.
        """
        if self.greenlet.dead:
            raise RuntimeError("a greenlet was ended before its call was done")
        awaitable, self.awaitable = self.awaitable, None
        return awaitable

    def resume(self, value):
        """Go on with the result of what was awaited, until the call waits again or is done."""
        cdef tuple args = (value,)
        self.adopt()
        self.go(<PyObject*>args)

    def throw(self, error):
        """The same with the exception of what was awaited, whose traceback a mere ``throw(error)`` would cut off."""
        self.adopt()
        awaitable = self.greenlet.throw(type(error), error, error.__traceback__)
        if not self.call.done:
            self.awaitable = awaitable

    cdef int adopt(self) except -1:
        """Make the current greenlet the parent, which is where this one comes back to.

        It need not be the same each time: the first step of an eager task that sync code starts runs inside the
        greenlet of that code, the next one in that of the event loop.
        """
        cdef object current = get_current()
        if self.call.parent is not current:
            set_parent(self.greenlet, current)
            self.call.parent = current
        return 0

    cdef int go(self, PyObject* args) except -1:
        """Run the greenlet until its call waits or is done."""
        cdef object awaitable = switch_to(self.greenlet, args, NULL)
        if not self.call.done:
            self.awaitable = awaitable
        return 0

    cdef int start_deeper(self) except -1:
        """Start the greenlet further down the C stack than the callers that will switch to it.

        A switch copies what the caller has on the stack below the start of the greenlet. This way there is nothing to copy.
        """
        cdef char[1024] room
        self.started = True
        return self.go_from(room)

    cdef int go_from(self, char* room) except -1:
        return self.go(NULL)

    cdef int leave_context(self) except -1:
        """Leave the context that the call, which now waits, has entered; it remains that of its greenlet."""
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
    """Greenlets of one thread that are used again: a new one costs several times more.

    A greenlet whose call neither returned nor raised is never used again.

    :param most_idle: number of idle greenlets that are kept, default 64; without any, the pool may serve several threads.
    """

    def __cinit__(self, Py_ssize_t most_idle=64):
        self.most_idle = most_idle

    def __dealloc__(self):
        while self.idle is not None:
            self.idle = self.idle.next  # one after another, where each would end the next inside its own end

    def begin(self, function, args, kwargs=None):
        """Call a function in a greenlet, in the context of the caller.

        :returns: the :class:`PooledGreenlet`; if it isn't ``done``, what it waits for has to be awaited.
        """
        return self.start(call_function, function, args, kwargs, None)

    def finish(self, PooledGreenlet greenlet not None):
        """The result of a call that is done, or its exception raised. Its greenlet is free for the next one."""
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
            error = None  # its traceback knows this frame

    cdef PooledGreenlet start(self, work_type work, object first, object second, object third, object context):
        """Have work done in a greenlet, until it waits or is done.

        :param context: the :class:`contextvars.Context` to do it in, which must not be entered; None for that of the caller.
        """
        cdef PooledGreenlet greenlet = self.take()
        cdef Call call = greenlet.call
        greenlet.adopt()
        call.work, call.first, call.second, call.third = work, first, second, third
        call.entered = context is not None
        call.context = context if call.entered else call.parent.gr_context
        if greenlet.started:
            greenlet.go(NULL)
        else:
            greenlet.start_deeper()
        if call.entered:
            greenlet.leave_context()
        return greenlet

    cdef PooledGreenlet take(self):
        """The greenlet that was used last, or a new one."""
        cdef PooledGreenlet greenlet = self.idle
        if greenlet is None:
            return self.new()
        self.idle, greenlet.next = greenlet.next, None
        self.idle_count -= 1
        return greenlet

    cdef PooledGreenlet new(self):
        cdef PooledGreenlet greenlet = PooledGreenlet.__new__(PooledGreenlet)
        greenlet.call = Call.__new__(Call)
        greenlet.call.once = self.most_idle <= 0
        greenlet.greenlet = Greenlet(greenlet.call)
        greenlet.greenlet.atlas_call = greenlet.call
        # SQLAlchemy's await_only waits where it finds this, as Atlas's await_ does: its synchronous ORM works on async drivers.
        greenlet.greenlet.__sqlalchemy_greenlet_provider__ = True
        return greenlet

    cdef int release(self, PooledGreenlet greenlet) except -1:
        """The call is done: keep its greenlet for the next one, and nothing of the call."""
        greenlet.call.done = False
        greenlet.call.result = greenlet.call.error = None
        if self.idle_count < self.most_idle:
            self.idle, greenlet.next = greenlet, self.idle
            self.idle_count += 1
        return 0


cdef object call_function(object function, object args, object kwargs):
    return function(*args) if kwargs is None else function(*args, **kwargs)


def parent_of_current():
    """The greenlet that takes what the current one wants to be awaited; None if the current one has no such parent."""
    cdef object current = get_current()
    cdef object call = getattr(current, "atlas_call", None)
    if isinstance(call, Call) and not (<Call>call).abandoned:
        return current.parent
    return None
