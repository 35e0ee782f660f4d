/* Escaping of text for HTML, without a copy where nothing has to be escaped, and look-ups without an exception. */

#ifndef ATLAS_TEXT_H
#define ATLAS_TEXT_H

#include <Python.h>
#include <string.h>

/* How many characters the replacement of a character has more than the character; 0 for those that stay. */
static inline int atlas_growth(Py_UCS4 character)
{
    switch (character) {
    case '"': case '\'': case '&': return 4;
    case '<': case '>': return 3;
    default: return 0;
    }
}

static inline const char *atlas_replacement(Py_UCS4 character)
{
    switch (character) {
    case '"': return "&#34;";
    case '\'': return "&#39;";
    case '&': return "&amp;";
    case '<': return "&lt;";
    default: return "&gt;";
    }
}

static Py_ssize_t atlas_growth_of(int kind, const void *data, Py_ssize_t length)
{
    Py_ssize_t growth = 0;
    if (kind == PyUnicode_1BYTE_KIND) {
        /* Most text: all five characters are below 63, so most others are decided by one comparison. */
        const Py_UCS1 *bytes = (const Py_UCS1 *)data;
        for (Py_ssize_t i = 0; i < length; i++) {
            if (bytes[i] < 63) {
                growth += atlas_growth(bytes[i]);
            }
        }
        return growth;
    }
    for (Py_ssize_t i = 0; i < length; i++) {
        growth += atlas_growth(PyUnicode_READ(kind, data, i));
    }
    return growth;
}

/* Returns a new reference to the escaped text: the same object if nothing has to be escaped. NULL with an exception. */
static PyObject *atlas_escape(PyObject *text)
{
    Py_ssize_t length, growth, at = 0;
    int kind;
    const void *data;
    PyObject *escaped;
#if PY_VERSION_HEX < 0x030c0000
    if (PyUnicode_READY(text) < 0) {
        return NULL;
    }
#endif
    length = PyUnicode_GET_LENGTH(text);
    kind = PyUnicode_KIND(text);
    data = PyUnicode_DATA(text);
    growth = atlas_growth_of(kind, data, length);
    if (growth == 0) {
        Py_INCREF(text);
        return text;
    }
    escaped = PyUnicode_New(length + growth, PyUnicode_MAX_CHAR_VALUE(text));
    if (escaped == NULL) {
        return NULL;
    }
    for (Py_ssize_t i = 0; i < length; i++) {
        Py_UCS4 character = PyUnicode_READ(kind, data, i);
        if (atlas_growth(character) == 0) {
            PyUnicode_WRITE(kind, PyUnicode_DATA(escaped), at, character);
            at++;
            continue;
        }
        for (const char *each = atlas_replacement(character); *each; each++) {
            PyUnicode_WRITE(kind, PyUnicode_DATA(escaped), at, (Py_UCS4)*each);
            at++;
        }
    }
    return escaped;
}

/* Looks an attribute up: 1 and a new reference, 0 and NULL if there is none, -1 and NULL for another exception. */
static inline int atlas_find_attribute(PyObject *value, PyObject *name, PyObject **found)
{
#if PY_VERSION_HEX >= 0x030d0000
    return PyObject_GetOptionalAttr(value, name, found);
#else
    return _PyObject_LookupAttr(value, name, found);
#endif
}

/* Returns an instance of a subclass of str that adds no state (Markup), without calling its constructor. */
static inline PyObject *atlas_text_as(PyObject *kind, PyObject *text)
{
    PyObject *made, *arguments = PyTuple_Pack(1, text);
    if (arguments == NULL) {
        return NULL;
    }
    made = PyUnicode_Type.tp_new((PyTypeObject *)kind, arguments, NULL);
    Py_DECREF(arguments);
    return made;
}

#endif
