"""How values become text."""

from cpython.object cimport PyObject


cdef extern from "text.h":
    object atlas_escape(object text)
    int atlas_find_attribute(object value, object name, PyObject** found) except -1
    object atlas_text_as(object kind, object text)


cdef object MARKUP    # the type Markup


cdef class Format:
    # The text that was applied last, and its parts; no names if only Python's own operator handles it.
    cdef str text
    cdef tuple literals
    cdef tuple names

    cdef object apply(self, object text, object values)
    cdef int split(self, str text) except -1


cdef object escaped(object value)
cdef object plain(object value)
cdef object marked(object text)
cdef int append_escaped(list out, object value) except -1
cdef int append_plain(list out, object value) except -1
