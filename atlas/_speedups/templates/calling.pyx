"""Calls in templates: functions that take the context, and macros.

A function says by an attribute that it takes the context, the evaluation context or the environment (``pass_context``
and the like). Most functions have none, and are called at once.
"""

from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF

from jinja2.ext import _make_new_gettext, _make_new_ngettext, _make_new_npgettext, _make_new_pgettext
from jinja2.nodes import EvalContext
from jinja2.runtime import BlockReference
from jinja2.utils import _PassArg

from atlas._speedups.templates.context cimport MISSING, ContextState, RenderFunction
from atlas._speedups.templates.escaping cimport Format, atlas_find_attribute, marked

cdef extern from "Python.h":
    bint PyFunction_Check(object value)
    bint PyMethod_Check(object value)
    bint PyCFunction_CheckExact(object value)

    ctypedef struct PyAsyncMethods:
        void *am_await

    ctypedef struct PyTypeObject:
        PyAsyncMethods *tp_as_async

    PyTypeObject *Py_TYPE(object value) noexcept

cdef object EVALUATION = EvalContext
cdef object BLOCK_REFERENCE = BlockReference
cdef object PASS_CONTEXT = _PassArg.context
cdef object PASS_EVALUATION = _PassArg.eval_context
cdef object PASS_ENVIRONMENT = _PassArg.environment

# The functions of new-style translations, by their code: the name in the format that each argument has, or None.
cdef dict TRANSLATIONS = {
    _make_new_gettext(None).__code__: (None,),
    _make_new_ngettext(None).__code__: (None, None, "num"),
    _make_new_pgettext(None).__code__: ("context", None),
    _make_new_npgettext(None).__code__: ("context", None, None, "num"),
}


cdef object attribute_or_none(object value, str name):
    cdef PyObject *found = NULL
    if not atlas_find_attribute(value, name, &found):
        return None
    result = <object>found
    Py_DECREF(result)
    return result


cdef object pass_argument(object function):
    """Return what a function takes first, of Jinja2's ``_PassArg``; None for nothing."""
    return None if PyCFunction_CheckExact(function) else attribute_or_none(function, "jinja_pass_arg")


cdef object call_in_template(ContextState context, object function, tuple args, dict kwargs):
    """Call a function as a template does, and return its result.

    :param kwargs: the arguments by name, which may be changed; None if there are none.
    """
    if isinstance(function, MacroFunction):
        return (<MacroFunction>function).call(args, kwargs, context.evaluation_context().autoescape)
    if not (PyFunction_Check(function) or PyMethod_Check(function) or PyCFunction_CheckExact(function)):
        method = attribute_or_none(function, "__call__")
        if method is not None and attribute_or_none(method, "jinja_pass_arg") is not None:
            function = method
    kind = pass_argument(function)
    if kind is PASS_CONTEXT:
        if PyFunction_Check(function) and len(args) == len(TRANSLATIONS.get(function.__code__, ())) > 0:
            return translated(context, function, args, kwargs)
        args = (context, *args)
    elif kind is PASS_EVALUATION:
        args = (context.evaluation_context(), *args)
    elif kind is PASS_ENVIRONMENT:
        args = (context.environment, *args)
    try:
        result = function(*args) if kwargs is None else function(*args, **kwargs)
    except StopIteration:
        return context.environment.undefined(
            "value was undefined because a callable raised a StopIteration exception"
        )
    if Py_TYPE(result).tp_as_async is not NULL and Py_TYPE(result).tp_as_async.am_await is not NULL:
        check = context.environment.check_awaitable
        if check is not None:
            check(result)
    return result


cdef object translated(ContextState context, object function, tuple args, dict kwargs):
    """Return what a function of new-style translations returns: the text, filled with the arguments."""
    cdef dict values = {} if kwargs is None else kwargs
    cdef Format format
    for name, value in zip(TRANSLATIONS[function.__code__], args):
        if name is not None:
            values.setdefault(name, value)
    text = call_in_template(context, function.__closure__[0].cell_contents, args, None)
    if context.evaluation_context().autoescape:
        text = marked(text)
    if context.formats is None:
        context.formats = {}
    format = context.formats.get(text)
    if format is None:
        format = context.formats[text] = Format()
    return format.apply(text, values)


cdef object render_call(ContextState context, object function, tuple args, dict kwargs, list out):
    """Append what a call renders, if the template escapes what it prints and the function is a macro or a block.

    :returns: None if it was appended, else the result of the call.
    """
    cdef list bound
    if isinstance(function, MacroFunction) and context.evaluation_context().autoescape:
        bound = (<MacroFunction>function).bind(args, kwargs)
        (<MacroFunction>function).render(bound, out)
        return None
    if type(function) is BLOCK_REFERENCE and not args and not kwargs and function._context.eval_ctx.autoescape:
        block = function._stack[function._depth]
        if isinstance(block, RenderFunction):
            (<RenderFunction>block).render(function._context, out)
            return None
    result = call_in_template(context, function, args, kwargs)
    return MISSING if result is None else result


cdef class MacroFunction:
    """A macro: a function that appends what it renders to a list, its last argument.

    :param environment: the environment.
    :param func: the function. Its arguments are those of the macro, then ``caller``, the other arguments by name and by
        position, as far as it uses them.
    :param name: the name of the macro.
    :param arguments: the names of its arguments.
    :param catch_kwargs: whether it uses ``kwargs``.
    :param catch_varargs: whether it uses ``varargs``.
    :param caller: whether it uses ``caller``.
    :param default_autoescape: whether its result is a Markup if the caller does not say it.
    """

    def __init__(
        self, environment, func, name, tuple arguments not None, bint catch_kwargs, bint catch_varargs, bint caller,
        default_autoescape=None,
    ):
        self._environment, self._func, self.name, self.arguments = environment, func, name, arguments
        self._argument_count = len(arguments)
        self.catch_kwargs, self.catch_varargs, self.caller = catch_kwargs, catch_varargs, caller
        self.explicit_caller = "caller" in arguments
        if default_autoescape is None:
            default_autoescape = environment.autoescape
            if callable(default_autoescape):
                default_autoescape = default_autoescape(None)
        self._default_autoescape = default_autoescape

    def __call__(self, *args, **kwargs):
        autoescape = self._default_autoescape
        if args and isinstance(args[0], EVALUATION):
            autoescape, args = args[0].autoescape, args[1:]
        return self.call(args, kwargs, autoescape)

    cdef object call(self, tuple args, dict kwargs, bint autoescape):
        cdef list out = []
        self.render(self.bind(args, kwargs), out)
        text = "".join(out)
        return marked(text) if autoescape else text

    cdef int render(self, list bound, list out) except -1:
        bound.append(out)
        self._func(*bound)
        return 0

    cdef list bind(self, tuple args, dict kwargs):
        """Return the arguments of the function. ``kwargs`` may be None, and is changed."""
        cdef list bound = list(args[: self._argument_count])
        cdef bint found_caller = self.explicit_caller
        cdef Py_ssize_t index = len(bound)
        if kwargs is None:
            kwargs = {}
        if index != self._argument_count:
            found_caller = False
            for name in self.arguments[index:]:
                bound.append(kwargs.pop(name, MISSING))
                found_caller = found_caller or name == "caller"
        if self.caller and not found_caller:
            caller = kwargs.pop("caller", None)
            if caller is None:
                caller = self._environment.undefined("No caller defined", name="caller")
            bound.append(caller)
        if self.catch_kwargs:
            bound.append(kwargs)
        elif kwargs:
            self.refuse(kwargs)
        if self.catch_varargs:
            bound.append(args[self._argument_count :])
        elif len(args) > self._argument_count:
            raise TypeError(f"macro {self.name!r} takes not more than {self._argument_count} argument(s)")
        return bound

    def refuse(self, dict kwargs not None):
        """Raise TypeError for arguments that the macro does not take.

        :param kwargs: the arguments by name.
        """
        if "caller" in kwargs:
            raise TypeError(
                f"macro {self.name!r} was invoked with two values for the special caller argument. "
                "This is most likely a bug."
            )
        raise TypeError(f"macro {self.name!r} takes no keyword argument {next(iter(kwargs))!r}")

    def __repr__(self):
        return f"<{type(self).__name__} {'anonymous' if self.name is None else repr(self.name)}>"


def call(ContextState context not None, function, /, *args, **kwargs):
    """Call a function as a template does, and return its result.

    :param context: the context.
    :param function: the function, which may take the context first.
    :param args: its arguments.
    :param kwargs: its arguments by name.
    """
    return call_in_template(context, function, args, kwargs or None)


def print_call(list out not None, ContextState context not None, function, /, *args, **kwargs):
    """Append the result of a call, which is text.

    :param out: the list.
    :param context: the context.
    :param function: the function, which may take the context first.
    :param args: its arguments.
    :param kwargs: its arguments by name.
    """
    result = render_call(context, function, args, kwargs or None, out)
    if result is not None:
        out.append(None if result is MISSING else result)
