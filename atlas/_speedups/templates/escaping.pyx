"""How values become text: what ``markupsafe.escape`` and ``str`` return, without an object of type Markup around it."""

from cpython.dict cimport PyDict_GetItemWithError
from cpython.list cimport PyList_Append
from cpython.object cimport PyObject, PyObject_Str
from cpython.ref cimport Py_DECREF

from markupsafe import Markup

cdef object MARKUP = Markup
cdef object HTML = "__html__"
cdef object escaped(object value):
    """Return the text of a value for HTML. An object with ``__html__`` decides itself."""
    kind = type(value)
    if kind is str:
        return atlas_escape(value)
    if kind is MARKUP:
        return value
    if kind is int or kind is float:
        return PyObject_Str(value)
    return escaped_object(value)


cdef object escaped_object(object value):
    cdef PyObject *found = NULL
    if atlas_find_attribute(value, HTML, &found):
        method = <object>found
        Py_DECREF(method)
        return html_text(method())
    return atlas_escape(PyObject_Str(value))


cdef object html_text(object value):
    """Return what ``Markup(value)`` contains."""
    cdef PyObject *found = NULL
    kind = type(value)
    if kind is str or kind is MARKUP:
        return value
    if atlas_find_attribute(value, HTML, &found):
        method = <object>found
        Py_DECREF(method)
        value = method()
    return value if type(value) is str else PyObject_Str(value)


cdef object plain(object value):
    """Return the text of a value without escaping."""
    kind = type(value)
    return value if kind is str or kind is MARKUP else PyObject_Str(value)


cdef int append_escaped(list out, object value) except -1:
    return PyList_Append(out, escaped(value))


cdef int append_plain(list out, object value) except -1:
    return PyList_Append(out, plain(value))


cdef object marked(object text):
    """Return a Markup of a text that is safe."""
    if type(text) is str:
        return atlas_text_as(MARKUP, text)
    return MARKUP(text)


cdef class Format:
    """The operator ``%``, which keeps how the last text was split: that of a Markup makes an object for each value."""

    cdef object apply(self, object text, object values):
        """Return ``text % values``. A Markup whose only directives are ``%(name)s`` is filled here."""
        cdef list result
        cdef Py_ssize_t index
        cdef PyObject *value
        if type(text) is not MARKUP or type(values) is not dict:
            return text % values
        if self.text is None or self.text != <str?>str(text):
            self.split(str(text))
        if self.names is None:
            return text % values
        result = [self.literals[0]]
        for index in range(len(self.names)):
            value = PyDict_GetItemWithError(<dict>values, self.names[index])
            if value is NULL:
                return text % values  # which raises
            result.append(escaped(<object>value))
            result.append(self.literals[index + 1])
        return marked("".join(result))

    cdef int split(self, str text) except -1:
        """Split a text into literals and the names between them; no names if it has other directives."""
        cdef list literals = [], names = []
        self.text, self.names = text, None
        if "\0" in text:
            return 0
        pieces = text.replace("%%", "\0").split("%")
        literals.append(pieces[0].replace("\0", "%"))
        for piece in pieces[1:]:
            name, end, tail = piece.partition(")s")
            if not name.startswith("(") or not end or "(" in name[1:] or ")" in name or "\0" in name:
                return 0
            names.append(name[1:])
            literals.append(tail.replace("\0", "%"))
        self.literals, self.names = tuple(literals), tuple(names)
        return 0


def escape(value, /):
    """Return the text of a value for HTML: the same object if it is a str in which nothing has to be escaped.

    :param value: a str, an object with ``__html__``, or any object, by its ``str()``.
    """
    return escaped(value)


def join_text(texts, /):
    """Return the joined texts as a Markup.

    :param texts: a list of str, which are safe.
    """
    return marked("".join(texts))
