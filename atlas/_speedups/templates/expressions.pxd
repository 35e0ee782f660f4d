"""Expressions of a template, evaluated without a Python frame."""

from cpython.object cimport PyObject

from atlas._speedups.templates.escaping cimport Format


# One execution of a plan. The references are borrowed, but for those in the slots.
ctypedef struct Execution:
    PyObject** slots        # local variables; NULL for one that has no value
    PyObject* context       # ContextState
    PyObject* environment
    PyObject* out           # the list of texts
    int line                # the line of the template that is executed
    int test_line           # that of the test of a loop which is executed; 0 if none is


cdef class Expression:
    cdef object evaluate(self, Execution* run)


cdef class Constant(Expression):
    cdef object value


cdef class Local(Expression):
    cdef int slot
    cdef str name


cdef class Attribute(Expression):
    cdef Expression owner
    cdef str name
    cdef bint is_in_dict    # whether dicts have an attribute of this name


cdef class Item(Expression):
    cdef Expression owner
    cdef Expression key


cdef class Call(Expression):
    cdef Expression function
    cdef tuple arguments
    cdef tuple names
    cdef tuple named

    cdef tuple positional(self, Execution* run)
    cdef dict keywords(self, Execution* run)


cdef class Filter(Expression):
    cdef str kind            # "filters" or "tests": the attribute of the environment
    cdef str name
    cdef str first           # "context", "eval_ctx", "environment" or ""
    cdef Expression value
    cdef tuple arguments
    cdef tuple names
    cdef tuple named
    cdef int shortcut        # what is done here if the environment has Jinja2's own function; 0 for nothing
    cdef object own          # that function

    cdef object find(self, Execution* run)
    cdef object missing(self, Execution* run)
    cdef object evaluate_here(self, Execution* run)
    cdef object first_argument(self, Execution* run)
    cdef object call(self, object function, object value, Execution* run)


cdef class Unary(Expression):
    cdef int operator
    cdef Expression value


cdef class Binary(Expression):
    cdef int operator
    cdef Expression left
    cdef Expression right
    cdef Format format


cdef class Compare(Expression):
    cdef Expression first
    cdef list operators
    cdef tuple others

    cdef object compared(self, int operator, object left, object right)


cdef class Conditional(Expression):
    cdef Expression test
    cdef Expression value
    cdef Expression other
    cdef str hint


cdef class Concatenation(Expression):
    cdef tuple parts
    cdef bint escapes


cdef class Collection(Expression):
    cdef object kind
    cdef tuple parts


cdef class Mapping(Expression):
    cdef tuple keys
    cdef tuple values


cdef class Marked(Expression):
    cdef Expression value
    cdef bint always         # whether the evaluation context does not decide
