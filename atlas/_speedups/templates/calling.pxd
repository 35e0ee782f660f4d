"""Calls in templates: functions that take the context, and macros."""

from cpython.object cimport PyObject

from atlas._speedups.templates.context cimport ContextState


cdef class MacroFunction:
    # The attributes of Jinja2's Macro; the function appends to a list, its last argument.
    cdef public object _environment
    cdef public object _func
    cdef public Py_ssize_t _argument_count
    cdef public object name
    cdef public tuple arguments
    cdef public bint catch_kwargs
    cdef public bint catch_varargs
    cdef public bint caller
    cdef public bint explicit_caller
    cdef public object _default_autoescape

    cdef list bind(self, tuple args, dict kwargs)
    cdef int render(self, list bound, list out) except -1
    cdef object call(self, tuple args, dict kwargs, bint autoescape)


cdef object call_in_template(ContextState context, object function, tuple args, dict kwargs)
cdef object render_call(ContextState context, object function, tuple args, dict kwargs, list out)
cdef object pass_argument(object function)
