"""Expressions of a template, evaluated without a Python frame.

Each class is one kind of node of Jinja2's syntax tree. The code generator makes them where it knows all about the node;
where it does not it writes Python.
"""

from cpython.dict cimport PyDict_GetItemWithError
from cpython.object cimport (
    Py_EQ, Py_GE, Py_GT, Py_LE, Py_LT, Py_NE, PyObject, PyObject_IsTrue, PyObject_RichCompare,
)
from cpython.sequence cimport PySequence_Contains

from jinja2.defaults import DEFAULT_FILTERS, DEFAULT_TESTS
from jinja2.exceptions import TemplateRuntimeError
from jinja2.runtime import Undefined, markup_join, str_join

from atlas._speedups.templates.calling cimport call_in_template
from atlas._speedups.templates.context cimport MISSING, ContextState
from atlas._speedups.templates.escaping cimport Format, marked
from atlas._speedups.templates.lookups cimport find_attribute, find_item

cdef object UNDEFINED = Undefined
cdef object JOIN_MARKUP = markup_join
cdef object JOIN_TEXT = str_join
cdef object NO_FUNCTION = TemplateRuntimeError

# Operators, in the order of the two tables.
cdef enum:
    ADD, SUBTRACT, MULTIPLY, DIVIDE, FLOOR_DIVIDE, POWER, MODULO, AND, OR
    POSITIVE, NEGATIVE, NOT
    IN, NOT_IN

cdef dict OPERATORS = {
    "+": ADD, "-": SUBTRACT, "*": MULTIPLY, "/": DIVIDE, "//": FLOOR_DIVIDE, "**": POWER, "%": MODULO, "and": AND,
    "or": OR,
}
cdef dict UNARY_OPERATORS = {"+": POSITIVE, "-": NEGATIVE, "not": NOT}
cdef dict COMPARISONS = {
    "eq": Py_EQ, "ne": Py_NE, "gt": Py_GT, "gteq": Py_GE, "lt": Py_LT, "lteq": Py_LE, "in": 100 + IN,
    "notin": 100 + NOT_IN,
}

# What is done without a call where the environment has Jinja2's own filter or test.
cdef enum:
    NO_SHORTCUT, IS_DEFINED, IS_UNDEFINED, IS_NONE, LENGTH, UPPER, LOWER, DEFAULT

cdef dict SHORTCUTS = {
    ("tests", "defined"): IS_DEFINED, ("tests", "undefined"): IS_UNDEFINED, ("tests", "none"): IS_NONE,
    ("filters", "length"): LENGTH, ("filters", "count"): LENGTH, ("filters", "upper"): UPPER,
    ("filters", "lower"): LOWER, ("filters", "default"): DEFAULT, ("filters", "d"): DEFAULT,
}


cdef class Expression:
    """Base of all: its class decides what evaluating it is."""

    cdef object evaluate(self, Execution* run):
        raise NotImplementedError(type(self).__name__)


cdef class Constant(Expression):
    """A value that is not changed."""

    def __init__(self, value):
        self.value = value

    cdef object evaluate(self, Execution* run):
        return self.value


cdef class Local(Expression):
    """A variable; an undefined value if it has none.

    :param slot: its slot.
    :param name: its name in the template.
    """

    def __init__(self, int slot, str name not None):
        self.slot, self.name = slot, name

    cdef object evaluate(self, Execution* run):
        cdef PyObject *value = run.slots[self.slot]
        if value is NULL or value is <PyObject*>MISSING:
            return (<object>run.environment).undefined(name=self.name)
        return <object>value


cdef class Attribute(Expression):
    """``owner.name``."""

    def __init__(self, Expression owner not None, str name not None):
        self.owner, self.name = owner, name
        self.is_in_dict = hasattr(dict, name)

    cdef object evaluate(self, Execution* run):
        return find_attribute(<object>run.environment, self.owner.evaluate(run), self.name, self.is_in_dict)


cdef class Item(Expression):
    """``owner[key]``."""

    def __init__(self, Expression owner not None, Expression key not None):
        self.owner, self.key = owner, key

    cdef object evaluate(self, Execution* run):
        owner = self.owner.evaluate(run)
        return find_item(<object>run.environment, owner, self.key.evaluate(run))


cdef tuple evaluated(tuple expressions, Execution* run):
    """Return the values of expressions."""
    cdef list values = []
    for each in expressions:
        values.append((<Expression>each).evaluate(run))
    return tuple(values)


cdef dict evaluated_names(tuple names, tuple expressions, Execution* run):
    cdef dict values = {}
    cdef Py_ssize_t index
    for index in range(len(names)):
        values[names[index]] = (<Expression?>expressions[index]).evaluate(run)
    return values


cdef class Call(Expression):
    """``function(arguments, names=named)``."""

    def __init__(self, Expression function not None, tuple arguments=(), tuple names=(), tuple named=()):
        self.function, self.arguments, self.names, self.named = function, arguments, names, named

    cdef tuple positional(self, Execution* run):
        return evaluated(self.arguments, run) if self.arguments else ()

    cdef dict keywords(self, Execution* run):
        return evaluated_names(self.names, self.named, run) if self.names else None

    cdef object evaluate(self, Execution* run):
        function = self.function.evaluate(run)
        arguments = self.positional(run)
        return call_in_template(<ContextState?><object>run.context, function, arguments, self.keywords(run))


cdef class Filter(Expression):
    """``value|name(arguments, names=named)``, and ``value is name(...)``, whose result may be any object too.

    :param kind: "filters" or "tests".
    :param name: the name of the filter or test.
    :param first: what the function takes before the value: "context", "eval_ctx", "environment" or "".
    """

    def __init__(
        self, str kind not None, str name not None, str first not None, Expression value not None,
        tuple arguments=(), tuple names=(), tuple named=(),
    ):
        self.kind, self.name, self.first, self.value = kind, name, first, value
        self.arguments, self.names, self.named = arguments, names, named
        self.shortcut = SHORTCUTS.get((kind, name), NO_SHORTCUT)
        self.own = (DEFAULT_FILTERS if kind == "filters" else DEFAULT_TESTS).get(name)
        if names or (arguments and (self.shortcut != DEFAULT or len(arguments) > 1)):
            self.shortcut = NO_SHORTCUT

    cdef object evaluate(self, Execution* run):
        function = self.find(run)
        if function is None:
            return self.missing(run)
        if self.shortcut != NO_SHORTCUT and function is self.own:
            return self.evaluate_here(run)
        if not self.arguments and not self.names:
            if not self.first:
                return function(self.value.evaluate(run))
            return function(self.first_argument(run), self.value.evaluate(run))
        return self.call(function, self.value.evaluate(run), run)

    cdef object find(self, Execution* run):
        """Return the function; None if the environment has none of this name."""
        cdef PyObject *found
        if self.kind == "filters":
            table = (<object>run.environment).filters
        else:
            table = (<object>run.environment).tests
        found = PyDict_GetItemWithError(table, self.name)
        return None if found is NULL else <object>found

    cdef object missing(self, Execution* run):
        """Raise the error for a filter or test that the environment lacks, after evaluating the arguments."""
        self.call(lambda *values, **named: None, self.value.evaluate(run), run)
        raise NO_FUNCTION(f"No {self.kind[:-1]} named {self.name!r} found.")

    cdef object first_argument(self, Execution* run):
        cdef ContextState context = <ContextState?><object>run.context
        if self.first == "context":
            return context
        return context.evaluation_context() if self.first == "eval_ctx" else <object>run.environment

    cdef object call(self, object function, object value, Execution* run):
        cdef tuple values = (value, *evaluated(self.arguments, run))
        if self.first:
            values = (self.first_argument(run), *values)
        if not self.names:
            return function(*values)
        return function(*values, **evaluated_names(self.names, self.named, run))

    cdef object evaluate_here(self, Execution* run):
        """Evaluate what needs no call."""
        value = self.value.evaluate(run)
        if self.shortcut == IS_DEFINED:
            return not isinstance(value, UNDEFINED)
        if self.shortcut == IS_UNDEFINED:
            return isinstance(value, UNDEFINED)
        if self.shortcut == IS_NONE:
            return value is None
        if self.shortcut == LENGTH:
            return len(value)
        if self.shortcut == UPPER and type(value) is str:
            return (<str>value).upper()
        if self.shortcut == LOWER and type(value) is str:
            return (<str>value).lower()
        if self.shortcut == DEFAULT:
            other = (<Expression>self.arguments[0]).evaluate(run) if self.arguments else ""
            return other if isinstance(value, UNDEFINED) else value
        return self.call(self.own, value, run)


cdef class Unary(Expression):
    """``-value`` and the like."""

    def __init__(self, str operator not None, Expression value not None):
        self.operator, self.value = UNARY_OPERATORS[operator], value

    cdef object evaluate(self, Execution* run):
        value = self.value.evaluate(run)
        if self.operator == NOT:
            return not value
        return -value if self.operator == NEGATIVE else +value


cdef class Binary(Expression):
    """``left + right`` and the like; ``and`` and ``or`` evaluate the right side if they need it."""

    def __init__(self, str operator not None, Expression left not None, Expression right not None):
        self.operator, self.left, self.right = OPERATORS[operator], left, right
        self.format = Format() if operator == "%" else None

    cdef object evaluate(self, Execution* run):
        left = self.left.evaluate(run)
        if self.operator == AND:
            return self.right.evaluate(run) if PyObject_IsTrue(left) else left
        if self.operator == OR:
            return left if PyObject_IsTrue(left) else self.right.evaluate(run)
        right = self.right.evaluate(run)
        if self.operator == ADD:
            return left + right
        if self.operator == SUBTRACT:
            return left - right
        if self.operator == MULTIPLY:
            return left * right
        if self.operator == DIVIDE:
            return left / right
        if self.operator == FLOOR_DIVIDE:
            return left // right
        if self.operator == POWER:
            return left ** right
        return self.format.apply(left, right)


cdef class Compare(Expression):
    """``first < a <= b``: each side is evaluated once, and the rest only while the comparisons are true."""

    def __init__(self, Expression first not None, tuple operators not None, tuple others not None):
        self.first, self.others = first, others
        self.operators = [COMPARISONS[each] for each in operators]

    cdef object evaluate(self, Execution* run):
        cdef Py_ssize_t index, last = len(self.others) - 1
        left = self.first.evaluate(run)
        result = left
        for index in range(last + 1):
            right = (<Expression?>self.others[index]).evaluate(run)
            result = self.compared(self.operators[index], left, right)
            if index < last and not PyObject_IsTrue(result):
                return result
            left = right
        return result

    cdef object compared(self, int operator, object left, object right):
        if operator == 100 + IN:
            return PySequence_Contains(right, left) == 1
        if operator == 100 + NOT_IN:
            return PySequence_Contains(right, left) == 0
        return PyObject_RichCompare(left, right, operator)


cdef class Conditional(Expression):
    """``value if test else other``.

    :param other: None if there is no ``else``: it is an undefined value then.
    :param hint: what that says.
    """

    def __init__(self, Expression test not None, Expression value not None, Expression other, str hint=None):
        self.test, self.value, self.other, self.hint = test, value, other, hint

    cdef object evaluate(self, Execution* run):
        if PyObject_IsTrue(self.test.evaluate(run)):
            return self.value.evaluate(run)
        return UNDEFINED(self.hint) if self.other is None else self.other.evaluate(run)


cdef class Concatenation(Expression):
    """``a ~ b``.

    :param escapes: whether the template escapes what it prints.
    """

    def __init__(self, bint escapes, *parts):
        self.escapes, self.parts = escapes, parts

    cdef object evaluate(self, Execution* run):
        cdef tuple values = evaluated(self.parts, run)
        for each in values:
            if type(each) is not str:
                return JOIN_MARKUP(values) if self.escapes else JOIN_TEXT(values)
        return "".join(values)


cdef class Collection(Expression):
    """A tuple or a list.

    :param kind: tuple or list.
    """

    def __init__(self, kind, *parts):
        self.kind, self.parts = kind, parts

    cdef object evaluate(self, Execution* run):
        values = evaluated(self.parts, run)
        return values if self.kind is tuple else list(values)


cdef class Mapping(Expression):
    """A dict.

    :param keys: expressions.
    :param values: expressions.
    """

    def __init__(self, tuple keys not None, tuple values not None):
        self.keys, self.values = keys, values

    cdef object evaluate(self, Execution* run):
        cdef dict result = {}
        cdef Py_ssize_t index
        for index in range(len(self.keys)):
            key = (<Expression?>self.keys[index]).evaluate(run)
            result[key] = (<Expression?>self.values[index]).evaluate(run)
        return result


cdef class Marked(Expression):
    """A text that is safe, as extensions mark it.

    :param always: whether it is a Markup also if the template does not escape what it prints.
    """

    def __init__(self, Expression value not None, bint always):
        self.value, self.always = value, always

    cdef object evaluate(self, Execution* run):
        value = self.value.evaluate(run)
        if self.always or (<ContextState?><object>run.context).evaluation_context().autoescape:
            return marked(value)
        return value
