"""Plans: what a part of a template prints, executed without a Python frame."""

from cpython.object cimport PyObject

from atlas._speedups.templates.expressions cimport Execution, Expression


cdef class Statement:
    cdef int execute(self, Execution* run) except -1


cdef class Text(Statement):
    cdef str text


cdef class Print(Statement):
    cdef int line
    cdef Expression value
    cdef bint escapes        # whether the template escapes what it prints
    cdef bint finalizes      # whether the environment changes values before they are printed
    cdef bint keeps_plain    # whether it leaves text and numbers as they are

    cdef object final(self, object value, Execution* run)


cdef class Condition(Statement):
    cdef list lines
    cdef tuple tests
    cdef tuple bodies
    cdef tuple other         # None if there is no else

    cdef int choose(self, Execution* run) except -1


cdef class Target:
    cdef int slot            # -1 for several
    cdef tuple parts
    cdef object unpack       # raises Python's own error for a value that has another number of items

    cdef int assign(self, object value, Execution* run) except -1


cdef class Loop(Statement):
    cdef int line
    cdef Target target
    cdef Expression iterable
    cdef int test_line
    cdef Expression test     # None if it takes all items
    cdef tuple body
    cdef tuple other         # None if there is no else
    cdef int loop_slot       # -1 if the loop's variable is not used
    cdef object loop_kind

    cdef bint execute_each(self, Execution* run) except -1
    cdef bint execute_with_state(self, object iterable, Execution* run) except -1
    cdef bint execute_item(self, object value, Execution* run) except -1


cdef class Plan:
    cdef object environment
    cdef dict module         # the namespace of the compiled template
    cdef str function        # the name of the function that contains the part
    cdef tuple body
    cdef int slot_count
    cdef tuple parameters    # their slots
    cdef tuple resolved      # pairs of a slot and the name that is looked up in the context
    cdef tuple slot_names    # of the local variables, for tracebacks

    cdef int run_in(self, Execution* run, tuple parameters) except -1
    cdef object traced(self, object error, Execution* run)
