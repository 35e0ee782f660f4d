"""A byte radix tree over the routes of a host: which one a path belongs to, and its converted parameters."""

from cpython.ref cimport PyObject

# How a parameter is read. What comes before OWN is read here, the others by a function of their converter.
cdef enum HoleKind:
    HOLE_STRING     # one segment, as text
    HOLE_INT        # 1 to 19 digits
    HOLE_FLOAT
    HOLE_SLUG
    HOLE_UUID
    HOLE_DATE
    HOLE_PATH       # all of the rest, as text
    HOLE_REST       # all of the rest, even if nothing is left; gives no value
    HOLE_OWN        # one segment, by the converter
    HOLE_OWN_REST   # all of the rest, by the converter

# A node stands behind a piece of text, or behind a parameter. Children lie side by side in the array of nodes, their
# first bytes in an array of the same order, so that finding one is one memchr.
cdef struct Node:
    unsigned int text               # where its text starts in the array of texts
    unsigned int length             # of its text; 0 behind a parameter
    unsigned int first_child
    unsigned int children
    unsigned int first_hole
    unsigned int holes
    int leaf                        # index of its methods; -1 if no route ends here

cdef struct Hole:
    HoleKind kind
    unsigned int node               # what follows
    int parse                       # index of the converter's function, for those that are not read here

cdef enum:
    MAX_HOLES = 32                  # parameters of one route
    ROOM = 512                      # bytes of a decoded path that need no memory of their own

# One search, on the stack: a converter may well search again.
cdef struct Search:
    const unsigned char* data
    Py_ssize_t size
    bint escaped                    # ESCAPED_SLASH stands for a slash that separates nothing
    PyObject* method                # borrowed; NULL to note every leaf that fits
    PyObject* found                 # borrowed from the leaf
    int count
    PyObject* values[MAX_HOLES]     # owned
    unsigned char room[ROOM]        # where a short path is decoded


cdef class RouteTree:
    # The tree, flat.
    cdef Node* nodes
    cdef Hole* holes
    cdef unsigned char* keys
    cdef bytes texts

    # What it leads to: for each leaf its routes by method; functions of converters.
    cdef list leaves
    cdef list parsers

    # Building, once.
    cdef int flatten(self, list order) except -1

    # Searching.
    cdef tuple seek(self, str method, bytes path, bint decoded)
    cdef bytes begin(self, Search* search, bytes path, bint decoded)
    cdef bint walk(self, Search* search, unsigned int node, Py_ssize_t at, list passed) except -1
    cdef bint arrive(self, Search* search, Node* node, list passed) except -1
    cdef bint enter(self, Search* search, Hole* hole, Py_ssize_t at, Py_ssize_t end, list passed) except -1
    cdef PyObject* read(self, Search* search, Hole* hole, Py_ssize_t at, Py_ssize_t end) except? NULL
    cdef object value_of(self, Hole* hole, const unsigned char* text, Py_ssize_t size, bint escaped)
