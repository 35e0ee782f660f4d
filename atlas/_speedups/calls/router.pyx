"""A byte radix tree over the routes of a host: which one a path belongs to, and its converted parameters.

It works on the path as it came, percent-encoded; only a path with a "%" is copied and decoded before. Text comes before
parameters, those in the order of their ranks, and a branch that leads nowhere is left for the next one. Each node is
visited once at most: it belongs to one place in the path, or takes all of the rest. So a search costs what the path is
long, and the number of routes does not matter. The values of the usual kinds are made here, because a call of Python
code takes longer than all the rest. Source of the decoding: RFC 3986, section 2.1.
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
    # Stands for an encoded slash in a decoded path. No UTF-8 has this byte, so nothing else can mean it.
    ESCAPED_SLASH = 0xFF
    NEVER_UTF8 = 0xFE

cdef dict KINDS = {
    "string": HOLE_STRING,
    "int": HOLE_INT,
    "float": HOLE_FLOAT,
    "slug": HOLE_SLUG,
    "uuid": HOLE_UUID,
    "date": HOLE_DATE,
    "path": HOLE_PATH,
    "rest": HOLE_REST,
}
cdef object UNKNOWN = SafeUUID.unknown
cdef object rank_of = lambda pair: pair[0].rank


@cython.internal
cdef class Branch:
    """A node while the tree is built."""

    cdef bytes text
    cdef dict children          # by first byte
    cdef list holes             # (converter, Branch)
    cdef dict leaf

    def __init__(self, bytes text):
        self.text = text
        self.children = {}
        self.holes = []
        self.leaf = None

    cdef Branch after_text(self, bytes text):
        """The node behind ``text``, made and split off as needed."""
        if not text:
            return self
        cdef Branch child = self.children.get(text[0])
        if child is None:
            child = self.children[text[0]] = Branch(text)
            return child
        cdef Py_ssize_t same = 0
        while same < min(len(text), len(child.text)) and text[same] == child.text[same]:
            same += 1
        if same < len(child.text):
            upper = Branch(text[:same])
            child.text = child.text[same:]
            upper.children[child.text[0]] = child
            self.children[text[0]] = child = upper
        return child.after_text(text[same:])

    cdef Branch after_hole(self, object converter):
        for known, branch in self.holes:
            if known is converter:
                return branch
        branch = Branch(b"")
        self.holes.append((converter, branch))
        self.holes.sort(key=rank_of)
        return branch


cdef Branch grow(entries):
    """The root of a tree over ``entries``, each a sequence of texts and converters, and what answers each method."""
    cdef Branch root = Branch(b""), at
    for parts, methods in entries:
        at = root
        holes = 0
        for part in parts:
            if isinstance(part, bytes):
                at = at.after_text(part)
            else:
                at = at.after_hole(part)
                holes += 1
        if holes > MAX_HOLES:
            raise ValueError(f"a path has {holes} parameters, expected at most {MAX_HOLES}")
        at.leaf = {**(at.leaf or {}), **methods}
    return root


cdef list in_order(Branch root):
    """Every node, level by level, the children of each side by side."""
    cdef Branch branch
    cdef list order = [root]
    for branch in order:
        order += [branch.children[key] for key in sorted(branch.children)]
        order += [below for _, below in branch.holes]
    return order


cdef class RouteTree:
    """The routes of a host, see router.pyi."""

    def __cinit__(self):
        self.nodes = NULL
        self.holes = NULL
        self.keys = NULL

    @classmethod
    def __class_getitem__(cls, item):
        return cls  # RouteTree[str] is for checkers

    def __init__(self, entries):
        self.leaves = []
        self.parsers = []
        self.flatten(in_order(grow(entries)))

    def __dealloc__(self):
        PyMem_Free(self.nodes)
        PyMem_Free(self.holes)
        PyMem_Free(self.keys)

    cdef int flatten(self, list order) except -1:
        cdef Branch branch
        cdef Node* node
        cdef unsigned int place, next_node = 1, next_hole = 0, texts = 0
        self.nodes = <Node*>PyMem_Calloc(len(order), sizeof(Node))
        self.keys = <unsigned char*>PyMem_Calloc(len(order), 1)
        self.holes = <Hole*>PyMem_Calloc(sum([len((<Branch>each).holes) for each in order]) + 1, sizeof(Hole))
        if self.nodes is NULL or self.keys is NULL or self.holes is NULL:
            raise MemoryError
        for place, branch in enumerate(order):
            node = &self.nodes[place]
            node.text, node.length, node.leaf = texts, len(branch.text), -1
            texts += node.length
            if node.length:
                self.keys[place] = branch.text[0]
            node.first_child, node.children = next_node, len(branch.children)
            next_node += node.children
            node.first_hole, node.holes = next_hole, len(branch.holes)
            for converter, _ in branch.holes:
                self.holes[next_hole] = Hole(kind_of(converter), next_node, len(self.parsers))
                self.parsers.append(converter.parse)
                next_hole += 1
                next_node += 1
            if branch.leaf is not None:
                node.leaf = len(self.leaves)
                self.leaves.append(branch.leaf)
        self.texts = b"".join([(<Branch>each).text for each in order])
        return 0

    def find(self, str method not None, bytes path not None, bint decoded=False):
        return self.seek(method, path, decoded)

    cdef tuple seek(self, str method, bytes path, bint decoded):
        cdef Search search
        cdef int place
        cdef tuple values
        search.method = <PyObject*>method
        path = self.begin(&search, path, decoded)
        try:
            if not self.walk(&search, 0, 0, None):
                return None
            values = PyTuple_New(search.count)
            for place in range(search.count):
                PyTuple_SET_ITEM(values, place, <object>search.values[place])
            search.count = 0  # they are the tuple's now
            return <object>search.found, values
        finally:
            forget(&search, 0)

    def methods(self, bytes path not None, bint decoded=False):
        cdef Search search
        cdef list passed = []
        search.method = NULL
        path = self.begin(&search, path, decoded)
        try:
            self.walk(&search, 0, 0, passed)
        finally:
            forget(&search, 0)
        return sorted({method for leaf in passed for method in leaf})

    cdef bytes begin(self, Search* search, bytes path, bint decoded):
        """Get ready to search. What comes back is what is searched, and has to live as long."""
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
        cdef unsigned char* room = search.room
        if search.size > ROOM:
            decoded_path = PyBytes_FromStringAndSize(NULL, search.size)
            room = <unsigned char*>PyBytes_AS_STRING(decoded_path)
        else:
            decoded_path = path
        search.size = decode(search.data, search.size, room)
        search.data = room
        search.escaped = True
        return decoded_path

    cdef bint walk(self, Search* search, unsigned int place, Py_ssize_t at, list passed) except -1:
        """Go on at ``at`` from a node; True once there is a route."""
        cdef Node* node
        cdef Node* child
        cdef const unsigned char* key
        cdef const unsigned char* texts = <const unsigned char*>PyBytes_AS_STRING(self.texts)
        cdef const unsigned char* slash
        cdef Py_ssize_t end
        cdef unsigned int hole
        while True:
            node = &self.nodes[place]
            if at == search.size:
                return self.arrive(search, node, passed)
            key = NULL
            if node.children:
                key = <const unsigned char*>memchr(self.keys + node.first_child, search.data[at], node.children)
            if key is not NULL:
                place = <unsigned int>(key - self.keys)
                child = &self.nodes[place]
                if child.length == 1 or (
                    child.length <= search.size - at
                    and memcmp(texts + child.text, search.data + at, child.length) == 0
                ):
                    if not node.holes:
                        at += child.length
                        continue
                    if self.walk(search, place, at + child.length, passed):
                        return True
            if not node.holes:
                return False
            slash = <const unsigned char*>memchr(search.data + at, SLASH, search.size - at)
            end = search.size if slash is NULL else slash - search.data
            for hole in range(node.first_hole, node.first_hole + node.holes):
                if self.enter(search, &self.holes[hole], at, end, passed):
                    return True
            return False

    cdef bint arrive(self, Search* search, Node* node, list passed) except -1:
        """The path ends at a node."""
        cdef unsigned int hole
        cdef dict leaf
        if node.leaf >= 0:
            leaf = self.leaves[node.leaf]
            if search.method is NULL:
                passed.append(leaf)
            else:
                search.found = PyDict_GetItemWithError(leaf, <object>search.method)
                if search.found is NULL:
                    search.found = PyDict_GetItemWithError(leaf, "*")
                if search.found is not NULL:
                    return True
        for hole in range(node.first_hole, node.first_hole + node.holes):
            if self.holes[hole].kind == HOLE_REST:
                return self.arrive(search, &self.nodes[self.holes[hole].node], passed)
        return False

    cdef bint enter(self, Search* search, Hole* hole, Py_ssize_t at, Py_ssize_t end, list passed) except -1:
        """Try a parameter for the segment from ``at`` to ``end``, and what follows it."""
        if hole.kind == HOLE_REST:
            return self.arrive(search, &self.nodes[hole.node], passed)
        if end == at:
            return False  # no parameter is empty, nor starts with a slash
        if hole.kind == HOLE_PATH or hole.kind == HOLE_OWN_REST:
            end = search.size
        cdef PyObject* value = self.read(search, hole, at, end)
        if value is NULL:
            return False
        cdef int before = search.count
        search.values[before] = value
        search.count = before + 1
        if self.walk(search, hole.node, end, passed):
            return True
        forget(search, before)
        return False

    cdef PyObject* read(self, Search* search, Hole* hole, Py_ssize_t at, Py_ssize_t end) except? NULL:
        """The value of a parameter; NULL without an exception if it doesn't fit."""
        cdef const unsigned char* text = search.data + at
        cdef Py_ssize_t size = end - at
        cdef unsigned long long[2] halves = [0, 0]
        if hole.kind == HOLE_INT:
            return new_long(number_of(text, size)) if size <= 19 and digits(text, size) == size else NULL
        if hole.kind == HOLE_FLOAT and not is_float(text, size):
            return NULL
        if hole.kind == HOLE_SLUG and not is_slug(text, size):
            return NULL
        if hole.kind == HOLE_UUID and not read_uuid(text, size, halves):
            return NULL
        if hole.kind == HOLE_DATE and not is_date(text, size):
            return NULL
        try:
            if hole.kind == HOLE_UUID:
                value = uuid_of(halves)
            else:
                value = self.value_of(hole, text, size, search.escaped)
        except ValueError:  # UnicodeDecodeError is one
            return NULL
        Py_INCREF(value)
        return <PyObject*>value

    cdef object value_of(self, Hole* hole, const unsigned char* text, Py_ssize_t size, bint escaped):
        """The value that a text stands for. :raises ValueError: if it is none after all."""
        if hole.kind == HOLE_FLOAT:
            return float_of(text, size)
        if hole.kind == HOLE_DATE:
            return date_new(number_of(text, 4), number_of(text + 5, 2), number_of(text + 8, 2))
        value = text_of(text, size, escaped)
        if hole.kind == HOLE_OWN or hole.kind == HOLE_OWN_REST:
            return self.parsers[hole.parse](value)
        return value


cdef HoleKind kind_of(converter) except *:
    kind = KINDS.get(converter.native)
    if kind is None:
        return HOLE_OWN_REST if converter.many else HOLE_OWN
    return kind


cdef void forget(Search* search, int count) noexcept:
    """Let go of all values but the first ``count``."""
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
    """The path percent-decoded, ESCAPED_SLASH for an encoded slash. What is no encoding stays as it is.

    :param out: has room for as many bytes. What comes back is how many it were.
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
            c = NEVER_UTF8  # it is no more UTF-8 than before, and doesn't mean a slash
        elif c == SLASH and low >= 0:
            c = ESCAPED_SLASH
        out[length] = c
        length += 1
        at += 1
    return length


cdef object text_of(const unsigned char* text, Py_ssize_t size, bint escaped):
    if escaped and memchr(text, ESCAPED_SLASH, size) is not NULL:
        return unescaped(text, size)
    return PyUnicode_DecodeUTF8(<char*>text, size, NULL)


cdef object unescaped(const unsigned char* text, Py_ssize_t size):
    """A text whose escaped slashes are slashes."""
    cdef bytes copied = PyBytes_FromStringAndSize(<char*>text, size)
    cdef unsigned char* out = <unsigned char*>PyBytes_AS_STRING(copied)
    cdef Py_ssize_t at
    if size == 1:
        return "/"  # bytes of one sign are everybody's
    for at in range(size):
        if out[at] == ESCAPED_SLASH:
            out[at] = SLASH
    return PyUnicode_DecodeUTF8(<char*>out, size, NULL)


cdef inline Py_ssize_t digits(const unsigned char* text, Py_ssize_t size) noexcept nogil:
    """How many digits there are before anything else."""
    cdef Py_ssize_t count = 0
    while count < size and 48 <= text[count] <= 57:
        count += 1
    return count


cdef inline unsigned long long number_of(const unsigned char* text, Py_ssize_t size) noexcept nogil:
    """The number that at most 19 digits are; 64 bits hold it."""
    cdef unsigned long long number = 0
    cdef Py_ssize_t at
    for at in range(size):
        number = number * 10 + (text[at] - 48)
    return number


cdef bint is_float(const unsigned char* text, Py_ssize_t size) noexcept nogil:
    """``-?[0-9]{1,19}(\\.[0-9]{1,19})?``"""
    cdef Py_ssize_t at = 1 if size and text[0] == 45 else 0
    cdef Py_ssize_t count = digits(text + at, size - at)
    if not 1 <= count <= 19:
        return False
    at += count
    if at == size:
        return True
    if text[at] != 46:
        return False
    at += 1
    return size - at >= 1 and size - at <= 19 and digits(text + at, size - at) == size - at


cdef object float_of(const unsigned char* text, Py_ssize_t size):
    cdef char copied[42]  # a sign, a point, and 19 digits on either side of it; what converts it wants an end
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
    """``[0-9]{4}-[0-9]{2}-[0-9]{2}``, a day of the calendar or not."""
    if size != 10 or text[4] != 45 or text[7] != 45:
        return False
    return digits(text, 4) == 4 and digits(text + 5, 2) == 2 and digits(text + 8, 2) == 2


cdef bint read_uuid(const unsigned char* text, Py_ssize_t size, unsigned long long* halves) noexcept nogil:
    """``[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}``, put behind two zeros of 64 bits."""
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
    """Put so many hexadecimal digits behind those of a number. False if one of them is none."""
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


cdef object uuid_of(const unsigned long long* halves):
    """A UUID, made as unpickling makes one: the class looks at all that it may be given, which takes 1.2 us."""
    cdef object high = halves[0], low = halves[1]
    value = PyType_GenericNew(<PyTypeObject*>UUID, NULL, NULL)
    PyObject_GenericSetAttr(value, "int", high << 64 | low)
    PyObject_GenericSetAttr(value, "is_safe", UNKNOWN)
    return value
