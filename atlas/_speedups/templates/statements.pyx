"""Plans: what a part of a template prints, executed without a Python frame.

A plan is made of the statements that print, decide and repeat. Those that define something (macros, blocks, ``set``) are
Python functions around it. An exception gets a frame for the line of the template.
"""

from cpython.list cimport PyList_Append, PyList_GET_ITEM, PyList_GET_SIZE
from cpython.object cimport PyObject, PyObject_IsTrue
from cpython.ref cimport Py_INCREF, Py_XDECREF
from cpython.tuple cimport PyTuple_GET_ITEM, PyTuple_GET_SIZE

from types import TracebackType

from atlas._speedups.templates.calling cimport render_call
from atlas._speedups.templates.context cimport MISSING, ContextState
from atlas._speedups.templates.escaping cimport MARKUP, append_escaped, append_plain
from atlas._speedups.templates.expressions cimport Call, Execution, Expression
from atlas._speedups.templates.loops cimport LoopState, new_loop

# The lines of a template are above those of its compiled code: Template.get_corresponding_lineno takes it away.
LINES = 10_000_000

cdef enum:
    MAX_SLOTS = 32

MAX_VARIABLES = MAX_SLOTS


cdef class Statement:
    """Base of all: its class decides what executing it is."""

    cdef int execute(self, Execution* run) except -1:
        raise NotImplementedError(type(self).__name__)


cdef int execute_all(tuple statements, Execution* run) except -1:
    cdef Py_ssize_t index
    for index in range(PyTuple_GET_SIZE(statements)):
        (<Statement>PyTuple_GET_ITEM(statements, index)).execute(run)
    return 0


cdef class Text(Statement):
    """Text between tags."""

    def __init__(self, str text not None):
        self.text = text

    cdef int execute(self, Execution* run) except -1:
        return PyList_Append(<object>run.out, self.text)


cdef class Print(Statement):
    """``{{ value }}``.

    :param line: its line in the template.
    :param value: an expression.
    :param escapes: whether the template escapes what it prints.
    :param finalizes: whether the environment has ``finalize``.
    :param keeps_plain: whether that leaves text, numbers, booleans and None as they are.
    """

    def __init__(self, int line, Expression value not None, bint escapes, bint finalizes=False, bint keeps_plain=False):
        self.line, self.value, self.escapes = line, value, escapes
        self.finalizes, self.keeps_plain = finalizes, keeps_plain

    cdef int execute(self, Execution* run) except -1:
        cdef Call call
        run.line = self.line
        if type(self.value) is Call and self.escapes and (self.keeps_plain or not self.finalizes):
            call = <Call>self.value
            function = call.function.evaluate(run)
            arguments = call.positional(run)
            value = render_call(
                <ContextState?><object>run.context, function, arguments, call.keywords(run), <list?><object>run.out
            )
            if value is None:
                return 0
            if value is MISSING:
                value = None
        else:
            value = self.value.evaluate(run)
        if self.finalizes:
            value = self.final(value, run)
        if self.escapes:
            return append_escaped(<list><object>run.out, value)
        return append_plain(<list><object>run.out, value)

    cdef object final(self, object value, Execution* run):
        if self.keeps_plain:
            kind = type(value)
            if kind is str or kind is MARKUP or kind is int or value is None or kind is float or kind is bool:
                return value
        return (<object>run.environment).finalize(value)


cdef class Condition(Statement):
    """``{% if %}`` with its ``elif`` and ``else``.

    :param lines: the line of each test.
    :param tests: expressions.
    :param bodies: the statements after each.
    :param other: the statements after ``else``; None if there is none.
    """

    def __init__(self, tuple lines not None, tuple tests not None, tuple bodies not None, tuple other):
        self.lines, self.tests, self.bodies, self.other = list(lines), tests, bodies, other

    cdef int execute(self, Execution* run) except -1:
        cdef int chosen = self.choose(run)
        if chosen >= 0:
            return execute_all(<tuple>self.bodies[chosen], run)
        return 0 if self.other is None else execute_all(self.other, run)

    cdef int choose(self, Execution* run) except -1:
        """Return the number of the test that is true; -2 if none is."""
        cdef int index
        for index in range(<int>len(self.tests)):
            run.line = self.lines[index]
            if PyObject_IsTrue((<Expression?>self.tests[index]).evaluate(run)):
                return index
        return -2


cdef int set_slot(Execution* run, int slot, object value) noexcept:
    cdef PyObject *old = run.slots[slot]
    Py_INCREF(value)
    run.slots[slot] = <PyObject*>value
    Py_XDECREF(old)
    return 0


cdef class Target:
    """The variables that a loop sets.

    :param slot: that of the variable; -1 if there are several.
    :param parts: the targets of an item that is unpacked.
    :param unpack: ``unpack(value)`` returns the items of a value in a tuple, and raises what Python raises.
    """

    def __init__(self, int slot, tuple parts=None, unpack=None):
        self.slot, self.parts, self.unpack = slot, parts, unpack

    cdef int assign(self, object value, Execution* run) except -1:
        cdef Py_ssize_t index
        if self.slot >= 0:
            return set_slot(run, self.slot, value)
        if type(value) is not tuple or len(<tuple>value) != len(self.parts):
            value = self.unpack(value)
        for index in range(len(self.parts)):
            (<Target?>self.parts[index]).assign((<tuple?>value)[index], run)
        return 0


cdef class Loop(Statement):
    """``{% for target in iterable if test %}``.

    :param line: its line.
    :param target: the variables that it sets.
    :param iterable: an expression.
    :param body: the statements for each item.
    :param other: the statements after ``else``; None if there is none.
    :param loop_slot: the slot of the variable ``loop``; -1 if it is not used.
    :param loop_kind: the class of that variable.
    :param test: an expression; None for all items.
    :param test_line: its line.
    """

    def __init__(
        self, int line, Target target not None, Expression iterable not None, tuple body not None, tuple other,
        int loop_slot, loop_kind, Expression test=None, int test_line=0,
    ):
        self.line, self.target, self.iterable, self.body, self.other = line, target, iterable, body, other
        self.loop_slot, self.loop_kind, self.test, self.test_line = loop_slot, loop_kind, test, test_line

    cdef int execute(self, Execution* run) except -1:
        cdef bint found
        run.line = self.line
        if self.loop_slot < 0:
            found = self.execute_each(run)
        else:
            found = self.execute_with_state(self.iterable.evaluate(run), run)
        if not found and self.other is not None:
            execute_all(self.other, run)
        return 0

    cdef bint execute_each(self, Execution* run) except -1:
        """Execute the body for each item. :returns: whether there was one."""
        cdef bint found = False
        for value in self.iterable.evaluate(run):
            found = self.execute_item(value, run) or found
            run.line = self.line
        return found

    cdef bint execute_with_state(self, object iterable, Execution* run) except -1:
        """The same, with the variable ``loop``."""
        cdef LoopState loop = new_loop(self.loop_kind, iterable, (<object>run.environment).undefined)
        set_slot(run, self.loop_slot, loop)
        while True:
            value = loop.advance()
            if value is MISSING:
                return loop.index0 >= 0
            self.execute_item(value, run)
            run.line = self.line

    cdef bint execute_item(self, object value, Execution* run) except -1:
        """Execute the body for one item. :returns: False if the test leaves it out."""
        cdef bint is_taken
        self.target.assign(value, run)
        if self.test is not None:
            run.test_line = self.test_line
            is_taken = PyObject_IsTrue(self.test.evaluate(run))
            run.test_line = 0
            if not is_taken:
                return False
        execute_all(self.body, run)
        return True


cdef class Plan:
    """A part of a template: ``plan(context, out, *parameters)`` appends what it prints to a list.

    :param environment: the environment.
    :param module: the namespace of the compiled template.
    :param function: the name of the function that contains the part, for tracebacks.
    :param slot_names: the names of the local variables, at most :data:`MAX_VARIABLES`.
    :param parameters: the slots of the parameters.
    :param resolved: pairs of a slot and the name that is looked up in the context.
    :param body: statements.
    """

    def __init__(
        self, environment, dict module not None, str function not None, tuple slot_names not None,
        tuple parameters not None, tuple resolved not None, *body,
    ):
        if len(slot_names) > MAX_SLOTS:
            raise ValueError(f"expected at most {MAX_SLOTS} variables, got {len(slot_names)}")
        self.environment, self.module, self.function, self.body = environment, module, function, body
        self.slot_names, self.slot_count = slot_names, len(slot_names)
        self.parameters, self.resolved = parameters, resolved

    def __call__(self, ContextState context not None, list out not None, *parameters):
        cdef PyObject *slots[MAX_SLOTS]
        cdef Execution run
        cdef int index
        if len(parameters) != len(self.parameters):
            raise TypeError(f"expected {len(self.parameters)} parameters, got {len(parameters)}")
        for index in range(self.slot_count):
            slots[index] = NULL
        run.slots, run.line, run.test_line = slots, 0, 0
        run.context, run.out, run.environment = <PyObject*>context, <PyObject*>out, <PyObject*>self.environment
        try:
            self.run_in(&run, parameters)
        except BaseException as error:
            raise self.traced(error, &run)
        finally:
            for index in range(self.slot_count):
                Py_XDECREF(slots[index])

    cdef int run_in(self, Execution* run, tuple parameters) except -1:
        cdef int index
        for index in range(<int>PyTuple_GET_SIZE(parameters)):
            set_slot(run, self.parameters[index], parameters[index])
        for pair in self.resolved:
            set_slot(run, <int>(<tuple>pair)[0], (<ContextState><object>run.context).find((<tuple>pair)[1]))
        return execute_all(self.body, run)

    cdef object traced(self, object error, Execution* run):
        """Return an exception with a frame for the line of the template."""
        cdef int index
        variables = {"context": <object>run.context}
        for index in range(self.slot_count):
            if run.slots[index] is not NULL:
                variables[self.slot_names[index]] = <object>run.slots[index]
        trace = error.__traceback__
        if run.test_line:  # the test is a function of its own, as in Jinja2's code
            trace = TracebackType(trace, frame_of(self.module, "test", variables), 0, LINES + run.test_line)
        frame = frame_of(self.module, self.function, variables)
        return error.with_traceback(TracebackType(trace, frame, 0, LINES + run.line))


def frame_of(dict module, str function, dict variables):
    """Return a frame of a function of a compiled template.

    :param module: the namespace of the compiled template.
    :param function: the name of the function.
    :param variables: the local variables.
    """
    code = compile("__frame__ = __import__('sys')._getframe()", module["__file__"], "exec")
    exec(code.replace(co_name=function), module, variables)
    frame = variables["__frame__"]
    del variables["__frame__"]  # else the frame would refer to itself
    return frame
