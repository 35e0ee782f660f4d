"""A byte radix tree over the routes of a host: matches a path to a route, and converts its parameters.

The tree matches the percent-encoded path; only a path with a "%" is copied and decoded first (RFC 3986, section 2.1).
Literal text takes precedence over parameters, and these are tried in the order of their ranks, with backtracking. Each
node is visited at most once, because it belongs to one position in the path or takes the rest of it: the time of a
search depends on the length of the path, not on the number of routes. The values of the built-in converters are made
here, because a call of Python code takes longer than the search.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.datetime cimport date_new, import_datetime
from cpython.dict cimport PyDict_GetItemWithError
from cpython.mem cimport PyMem_Calloc, PyMem_Free
from cpython.object cimport PyTypeObject
from cpython.ref cimport Py_INCREF, Py_XDECREF, PyObject
from cpython.tuple cimport PyTuple_New, PyTuple_SET_ITEM
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.string cimport memchr, memcmp, memcpy

from uuid import UUID, SafeUUID

cdef extern from "Python.h":
    PyObject* new_long "PyLong_FromUnsignedLongLong"(unsigned long long value) except NULL
    double PyOS_string_to_double(const char* text, char** end, PyObject* overflow) except? -1.0
    object PyType_GenericNew(PyTypeObject* kind, PyObject* arguments, PyObject* names)
    int PyObject_GenericSetAttr(object instance, object name, object value) except -1

import_datetime()

cdef enum:
    SLASH = 47
    PERCENT = 37
    QUESTION = 63
    # Replaces an encoded slash in a decoded path. This byte does not occur in UTF-8.
    ESCAPED_SLASH = 0xFF
    INVALID_UTF8 = 0xFE

cdef dict PARAM_KINDS = {
    "string": PARAM_STRING,
    "int": PARAM_INT,
    "float": PARAM_FLOAT,
    "slug": PARAM_SLUG,
    "uuid": PARAM_UUID,
    "date": PARAM_DATE,
    "path": PARAM_PATH,
    "rest": PARAM_REST,
}
cdef object UNKNOWN = SafeUUID.unknown
cdef object get_rank = lambda pair: pair[0].rank


class Several(tuple):
    """The values of a converter of several parameters."""


@cython.internal
cdef class BuildNode:
    """A node while the tree is built."""

    cdef bytes text
    cdef dict children          # by first byte
    cdef list params             # (converter, BuildNode)
    cdef dict leaf

    def __init__(self, bytes text):
        self.text = text
        self.children = {}
        self.params = []
        self.leaf = None

    cdef BuildNode add_text(self, bytes text):
        """Return the node after ``text``; create it, and split an existing node, if necessary."""
        if not text:
            return self
        cdef BuildNode child = self.children.get(text[0])
        if child is None:
            child = self.children[text[0]] = BuildNode(text)
            return child
        cdef Py_ssize_t same = 0
        while same < min(len(text), len(child.text)) and text[same] == child.text[same]:
            same += 1
        if same < len(child.text):
            upper = BuildNode(text[:same])
            child.text = child.text[same:]
            upper.children[child.text[0]] = child
            self.children[text[0]] = child = upper
        return child.add_text(text[same:])

    cdef BuildNode add_param(self, object converter):
        """Return the node after a parameter; create it if necessary."""
        for known, node in self.params:
            if known is converter:
                return node
        node = BuildNode(b"")
        self.params.append((converter, node))
        self.params.sort(key=get_rank)
        return node


cdef BuildNode build_tree(entries):
    """Return the root of a tree over ``entries``; see :class:`RouteTree`."""
    cdef BuildNode root = BuildNode(b""), at
    for parts, methods in entries:
        at = root
        params = 0
        for part in parts:
            if isinstance(part, bytes):
                at = at.add_text(part)
            else:
                at = at.add_param(part)
                params += 1
        if params > MAX_PARAMS:
            raise ValueError(f"a path has {params} parameters, expected at most {MAX_PARAMS}")
        at.leaf = {**(at.leaf or {}), **methods}
    return root


cdef list breadth_first(BuildNode root):
    """Return all nodes, level by level; the children of a node are adjacent."""
    cdef BuildNode node
    cdef list order = [root]
    for node in order:
        order += [node.children[key] for key in sorted(node.children)]
        order += [below for _, below in node.params]
    return order


cdef class RouteTree:
    """The routes of a host, see router.pyi."""

    def __cinit__(self):
        self.nodes = NULL
        self.params = NULL
        self.keys = NULL

    @classmethod
    def __class_getitem__(cls, item):
        return cls  # RouteTree[str] is for type checkers

    def __init__(self, entries):
        self.leaves = []
        self.parsers = []
        self.flatten(breadth_first(build_tree(entries)))

    def __dealloc__(self):
        PyMem_Free(self.nodes)
        PyMem_Free(self.params)
        PyMem_Free(self.keys)

    cdef int flatten(self, list order) except -1:
        cdef BuildNode source
        cdef Node* node
        cdef unsigned int index, next_node = 1, next_param = 0, texts = 0
        self.nodes = <Node*>PyMem_Calloc(len(order), sizeof(Node))
        self.keys = <unsigned char*>PyMem_Calloc(len(order), 1)
        self.params = <Param*>PyMem_Calloc(sum([len((<BuildNode>each).params) for each in order]) + 1, sizeof(Param))
        if self.nodes is NULL or self.keys is NULL or self.params is NULL:
            raise MemoryError
        for index, source in enumerate(order):
            node = &self.nodes[index]
            node.text, node.length, node.leaf = texts, len(source.text), -1
            texts += node.length
            if node.length:
                self.keys[index] = source.text[0]
            node.first_child, node.children = next_node, len(source.children)
            next_node += node.children
            node.first_param, node.params = next_param, len(source.params)
            for converter, _ in source.params:
                self.params[next_param] = Param(param_kind(converter), next_node, len(self.parsers))
                self.parsers.append(converter.parse)
                self.several = self.several or converter.native == "several"
                next_param += 1
                next_node += 1
            if source.leaf is not None:
                node.leaf = len(self.leaves)
                self.leaves.append(source.leaf)
        self.texts = b"".join([(<BuildNode>each).text for each in order])
        return 0

    def find(self, str method not None, bytes path not None, bint decoded=False):
        return self.match(method, path, decoded)

    cdef tuple match(self, str method, bytes path, bint decoded):
        # References in a Search are borrowed from the tree, which its owner drops if a converter adds a route.
        cdef RouteTree kept = self
        cdef Search search
        cdef int index
        cdef tuple values
        search.method = <PyObject*>method
        path = kept.prepare(&search, path, decoded)
        try:
            if not kept.walk(&search, 0, 0, None):
                return None
            values = PyTuple_New(search.count)
            for index in range(search.count):
                PyTuple_SET_ITEM(values, index, <object>search.values[index])
            search.count = 0  # the tuple owns the references
            return <object>search.found, spread(values) if self.several else values
        finally:
            release_values(&search, 0)

    def methods(self, bytes path not None, bint decoded=False):
        cdef Search search
        cdef list leaves = []
        search.method = NULL
        path = self.prepare(&search, path, decoded)
        try:
            self.walk(&search, 0, 0, leaves)
        finally:
            release_values(&search, 0)
        return sorted({method for leaf in leaves for method in leaf})

    cdef bytes prepare(self, Search* search, bytes path, bint decoded):
        """Initialize a search. Return the owner of ``search.data``, which has to live until the end of the search."""
        search.data = <const unsigned char*>PyBytes_AS_STRING(path)
        search.size = PyBytes_GET_SIZE(path)
        search.escaped = False
        search.found = NULL
        search.count = 0
        if decoded:
            return path
        cdef const void* query = memchr(search.data, QUESTION, search.size)
        if query is not NULL:
            search.size = <const unsigned char*>query - search.data
        if memchr(search.data, PERCENT, search.size) is NULL:
            return path
        cdef unsigned char* buffer = search.buffer
        if search.size > BUFFER_SIZE:
            decoded_path = PyBytes_FromStringAndSize(NULL, search.size)
            buffer = <unsigned char*>PyBytes_AS_STRING(decoded_path)
        else:
            decoded_path = path
        search.size = decode(search.data, search.size, buffer)
        search.data = buffer
        search.escaped = True
        return decoded_path

    cdef bint walk(self, Search* search, unsigned int index, Py_ssize_t at, list leaves) except -1:
        """Match the path from offset ``at`` with the tree below a node; return True if a route was found."""
        cdef Node* node
        cdef Node* child
        cdef const unsigned char* key
        cdef const unsigned char* texts = <const unsigned char*>PyBytes_AS_STRING(self.texts)
        cdef const unsigned char* slash
        cdef Py_ssize_t end
        cdef unsigned int param
        while True:
            node = &self.nodes[index]
            if at == search.size:
                return self.match_end(search, node, leaves)
            key = NULL
            if node.children:
                key = <const unsigned char*>memchr(self.keys + node.first_child, search.data[at], node.children)
            if key is not NULL:
                index = <unsigned int>(key - self.keys)
                child = &self.nodes[index]
                if child.length == 1 or (
                    child.length <= search.size - at
                    and memcmp(texts + child.text, search.data + at, child.length) == 0
                ):
                    if not node.params:
                        at += child.length
                        continue
                    if self.walk(search, index, at + child.length, leaves):
                        return True
            if not node.params:
                return False
            slash = <const unsigned char*>memchr(search.data + at, SLASH, search.size - at)
            end = search.size if slash is NULL else slash - search.data
            for param in range(node.first_param, node.first_param + node.params):
                if self.match_param(search, &self.params[param], at, end, leaves):
                    return True
            return False

    cdef bint match_end(self, Search* search, Node* node, list leaves) except -1:
        """Match the end of the path at a node."""
        cdef unsigned int param
        cdef dict leaf
        if node.leaf >= 0:
            leaf = self.leaves[node.leaf]
            if search.method is NULL:
                leaves.append(leaf)
            else:
                search.found = PyDict_GetItemWithError(leaf, <object>search.method)
                if search.found is NULL:
                    search.found = PyDict_GetItemWithError(leaf, "*")
                if search.found is not NULL:
                    return True
        for param in range(node.first_param, node.first_param + node.params):
            if self.params[param].kind == PARAM_REST:
                return self.match_end(search, &self.nodes[self.params[param].node], leaves)
        return False

    cdef bint match_param(self, Search* search, Param* param, Py_ssize_t at, Py_ssize_t end, list leaves) except -1:
        """Match a parameter with the segment from ``at`` to ``end``, and the rest of the path after it."""
        if param.kind == PARAM_REST:
            return self.match_end(search, &self.nodes[param.node], leaves)
        if end == at:
            return False  # the value of a parameter is not empty, and does not start with a slash
        if param.kind == PARAM_PATH or param.kind == PARAM_CUSTOM_REST:
            end = search.size
        cdef PyObject* value = self.parse_param(search, param, at, end)
        if value is NULL:
            return False
        cdef int before = search.count
        search.values[before] = value
        search.count = before + 1
        if self.walk(search, param.node, end, leaves):
            return True
        release_values(search, before)
        return False

    cdef PyObject* parse_param(self, Search* search, Param* param, Py_ssize_t at, Py_ssize_t end) except? NULL:
        """Return the value of a parameter, a new reference; NULL without an exception if the text does not match."""
        cdef const unsigned char* text = search.data + at
        cdef Py_ssize_t size = end - at
        cdef unsigned long long[2] halves = [0, 0]
        if param.kind == PARAM_INT:
            return new_long(parse_digits(text, size)) if size <= 19 and count_digits(text, size) == size else NULL
        if param.kind == PARAM_FLOAT and not is_float(text, size):
            return NULL
        if param.kind == PARAM_SLUG and not is_slug(text, size):
            return NULL
        if param.kind == PARAM_UUID and not parse_uuid(text, size, halves):
            return NULL
        if param.kind == PARAM_DATE and not is_date(text, size):
            return NULL
        try:
            if param.kind == PARAM_UUID:
                value = make_uuid(halves)
            else:
                value = self.convert_param(param, text, size, search.escaped)
        except ValueError:  # UnicodeDecodeError is one
            return NULL
        Py_INCREF(value)
        return <PyObject*>value

    cdef object convert_param(self, Param* param, const unsigned char* text, Py_ssize_t size, bint escaped):
        """Return the value of a text of the right form. :raises ValueError: if the date does not exist, for example."""
        if param.kind == PARAM_FLOAT:
            return parse_float(text, size)
        if param.kind == PARAM_DATE:
            return date_new(parse_digits(text, 4), parse_digits(text + 5, 2), parse_digits(text + 8, 2))
        many = param.kind == PARAM_PATH or param.kind == PARAM_CUSTOM_REST
        value = decode_text(text, size, escaped, "%2F" if many else "/")  # "/" separates segments in the value of many
        if param.kind == PARAM_CUSTOM or param.kind == PARAM_CUSTOM_REST:
            return self.parsers[param.parse](value)
        return value


cdef tuple spread(tuple values):
    return tuple([each for value in values for each in (value if type(value) is Several else (value,))])


cdef ParamKind param_kind(converter) except *:
    kind = PARAM_KINDS.get(converter.native)
    if kind is None:
        return PARAM_CUSTOM_REST if converter.many else PARAM_CUSTOM
    return kind


cdef void release_values(Search* search, int count) noexcept:
    """Release all values except the first ``count``."""
    while search.count > count:
        search.count -= 1
        Py_XDECREF(search.values[search.count])


cdef inline int hex_digit(unsigned char c) noexcept nogil:
    if 48 <= c <= 57:
        return c - 48
    if 97 <= (c | 32) <= 102:
        return (c | 32) - 87
    return -1


cdef Py_ssize_t decode(const unsigned char* data, Py_ssize_t size, unsigned char* out) noexcept nogil:
    """Percent-decode a path into ``out``, a buffer of at least ``size`` bytes; return the number of bytes written.

    An encoded slash becomes ESCAPED_SLASH. A "%" without two hexadecimal digits is copied.
    """
    cdef Py_ssize_t at = 0, length = 0
    cdef int high, low
    cdef unsigned char c
    while at < size:
        c = data[at]
        high = hex_digit(data[at + 1]) if c == PERCENT and at + 2 < size else -1
        low = hex_digit(data[at + 2]) if high >= 0 else -1
        if low >= 0:
            c = <unsigned char>(high * 16 + low)
            at += 2
        if c == ESCAPED_SLASH:
            c = INVALID_UTF8  # as invalid in UTF-8 as 0xFF, but not an encoded slash
        elif c == SLASH and low >= 0:
            c = ESCAPED_SLASH
        out[length] = c
        length += 1
        at += 1
    return length


cdef object decode_text(const unsigned char* text, Py_ssize_t size, bint escaped, str slash):
    """Decode a text from UTF-8; ``slash`` stands for each encoded slash in it."""
    if escaped and memchr(text, ESCAPED_SLASH, size) is not NULL:
        return slash.join([piece.decode() for piece in text[:size].split(b"\xff")])
    return PyUnicode_DecodeUTF8(<char*>text, size, NULL)


cdef inline Py_ssize_t count_digits(const unsigned char* text, Py_ssize_t size) noexcept nogil:
    """Count the digits at the beginning of a text."""
    cdef Py_ssize_t count = 0
    while count < size and 48 <= text[count] <= 57:
        count += 1
    return count


cdef inline unsigned long long parse_digits(const unsigned char* text, Py_ssize_t size) noexcept nogil:
    """Return the value of at most 19 digits, which fits in 64 bits."""
    cdef unsigned long long number = 0
    cdef Py_ssize_t at
    for at in range(size):
        number = number * 10 + (text[at] - 48)
    return number


cdef bint is_float(const unsigned char* text, Py_ssize_t size) noexcept nogil:
    """``-?[0-9]{1,19}(\\.[0-9]{1,19})?``"""
    cdef Py_ssize_t at = 1 if size and text[0] == 45 else 0
    cdef Py_ssize_t count = count_digits(text + at, size - at)
    if not 1 <= count <= 19:
        return False
    at += count
    if at == size:
        return True
    if text[at] != 46:
        return False
    at += 1
    return size - at >= 1 and size - at <= 19 and count_digits(text + at, size - at) == size - at


cdef object parse_float(const unsigned char* text, Py_ssize_t size):
    cdef char copied[42]  # a sign, 19 digits, a point, 19 digits, and the terminating zero
    memcpy(copied, text, size)
    copied[size] = 0
    return PyOS_string_to_double(copied, NULL, NULL)


cdef bint is_slug(const unsigned char* text, Py_ssize_t size) noexcept nogil:
    """``[0-9A-Za-z_-]+``"""
    cdef Py_ssize_t at
    cdef unsigned char c
    for at in range(size):
        c = text[at]
        if not (48 <= c <= 57 or 97 <= (c | 32) <= 122 or c == 95 or c == 45):
            return False
    return True


cdef bint is_date(const unsigned char* text, Py_ssize_t size) noexcept nogil:
    """``[0-9]{4}-[0-9]{2}-[0-9]{2}``; the date may not exist."""
    if size != 10 or text[4] != 45 or text[7] != 45:
        return False
    return count_digits(text, 4) == 4 and count_digits(text + 5, 2) == 2 and count_digits(text + 8, 2) == 2


cdef bint parse_uuid(const unsigned char* text, Py_ssize_t size, unsigned long long* halves) noexcept nogil:
    """Parse ``[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}`` into two numbers, which the caller sets to zero."""
    if size != 36 or text[8] != 45 or text[13] != 45 or text[18] != 45 or text[23] != 45:
        return False
    return (
        add_hex(text, 8, halves)
        and add_hex(text + 9, 4, halves)
        and add_hex(text + 14, 4, halves)
        and add_hex(text + 19, 4, halves + 1)
        and add_hex(text + 24, 12, halves + 1)
    )


cdef inline bint add_hex(const unsigned char* text, Py_ssize_t count, unsigned long long* number) noexcept nogil:
    """Append hexadecimal digits to a number; return False for another character."""
    cdef unsigned long long value = number[0]
    cdef Py_ssize_t at
    cdef int digit
    for at in range(count):
        digit = hex_digit(text[at])
        if digit < 0:
            return False
        value = value << 4 | <unsigned int>digit
    number[0] = value
    return True


cdef object make_uuid(const unsigned long long* halves):
    """Create a UUID without calling ``UUID.__init__``, which checks each argument and takes 1.2 us."""
    cdef object high = halves[0], low = halves[1]
    value = PyType_GenericNew(<PyTypeObject*>UUID, NULL, NULL)
    PyObject_GenericSetAttr(value, "int", high << 64 | low)
    PyObject_GenericSetAttr(value, "is_safe", UNKNOWN)
    return value
