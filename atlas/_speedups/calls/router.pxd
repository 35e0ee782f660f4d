"""A byte radix tree over the routes of a host: matches a path to a route, and converts its parameters."""

from cpython.ref cimport PyObject

# How the value of a parameter is parsed: those before CUSTOM by this module, the others by their converter.
cdef enum ParamKind:
    PARAM_STRING                    # one segment, as text
    PARAM_INT                       # 1 to 19 digits
    PARAM_FLOAT
    PARAM_SLUG
    PARAM_UUID
    PARAM_DATE
    PARAM_PATH                      # the rest of the path, as text
    PARAM_REST                      # the rest of the path, which may be empty; has no value
    PARAM_CUSTOM                    # one segment, parsed by the converter
    PARAM_CUSTOM_REST               # the rest of the path, parsed by the converter

# A node follows a literal text or a parameter. The children of a node are adjacent in the array of nodes, and their
# first bytes are adjacent in an array of the same order, so that one memchr finds a child.
cdef struct Node:
    unsigned int text               # offset of its text in RouteTree.texts
    unsigned int length             # of its text, in bytes; 0 after a parameter
    unsigned int first_child
    unsigned int children           # number of child nodes
    unsigned int first_param
    unsigned int params             # number of parameters that may follow
    int leaf                        # index in RouteTree.leaves; -1 if no route ends here

cdef struct Param:
    ParamKind kind
    unsigned int node               # index of the node after it
    int parse                       # index in RouteTree.parsers; used for CUSTOM and CUSTOM_REST

cdef enum:
    MAX_PARAMS = 32                 # parameters of one route
    BUFFER_SIZE = 512               # bytes of a decoded path that are not allocated

# The state of one search. It is on the stack, because a converter may start another search.
cdef struct Search:
    const unsigned char* data
    Py_ssize_t size
    bint escaped                    # the path is decoded: ESCAPED_SLASH stands for "%2F"
    PyObject* method                # borrowed; NULL to collect every matching leaf
    PyObject* found                 # borrowed from the leaf
    int count
    PyObject* values[MAX_PARAMS]    # owned
    unsigned char buffer[BUFFER_SIZE]       # for a decoded path that fits


cdef class RouteTree:
    # The tree, in arrays.
    cdef Node* nodes
    cdef Param* params
    cdef unsigned char* keys        # first byte of the text of each node
    cdef bytes texts

    # For each leaf a dict of the routes by method; the parse functions of the converters.
    cdef list leaves
    cdef list parsers
    cdef bint several               # a converter returns Several, the values of several parameters

    # Building: copies the nodes into the arrays.
    cdef int flatten(self, list order) except -1

    # Matching.
    cdef tuple match(self, str method, bytes path, bint decoded)
    cdef bytes prepare(self, Search* search, bytes path, bint decoded)
    cdef bint walk(self, Search* search, unsigned int node, Py_ssize_t at, list leaves) except -1
    cdef bint match_end(self, Search* search, Node* node, list leaves) except -1
    cdef bint match_param(self, Search* search, Param* param, Py_ssize_t at, Py_ssize_t end, list leaves) except -1
    cdef PyObject* parse_param(self, Search* search, Param* param, Py_ssize_t at, Py_ssize_t end) except? NULL
    cdef object convert_param(self, Param* param, const unsigned char* text, Py_ssize_t size, bint escaped)
