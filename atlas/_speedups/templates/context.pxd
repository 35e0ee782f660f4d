"""The variables of a rendering, and the functions that render a template into a list of texts."""

from cpython.object cimport PyObject


cdef object MISSING    # Jinja2's mark for a name that has no value


cdef class ContextState:
    # The attributes of Jinja2's Context.
    cdef public dict parent
    cdef public dict vars
    cdef public object environment
    cdef public object name
    cdef object blocks_of_template    # name to function, until the lists below are made
    cdef dict block_lists             # name to functions, that of the innermost template first
    cdef object evaluation            # the EvalContext, made when it is first used
    cdef set exported
    cdef object global_variables      # the globals of the template; None if they were not passed
    cdef set global_names
    cdef dict formats                 # the formats of translated texts that were filled, by text

    cdef object find(self, object name)
    cdef dict all_variables(self)
    cdef object evaluation_context(self)
    cdef dict all_blocks(self)


cdef class RenderFunction:
    cdef object function    # function(context, out)

    cdef int render(self, object context, list out) except -1


cdef object new_state(object kind, object environment, dict parent, object name, object blocks, object global_variables)
cdef int render_function(object function, object context, list out) except -1
