"""Awaitables that are finished before they are awaited: what ``receive`` and ``send`` return when nothing has to wait."""

from cpython.object cimport PyObject

cdef extern from "finished.h":
    ctypedef struct PyType_Spec:
        pass
    PyType_Spec atlas_finished_spec
    object PyType_FromSpec(PyType_Spec* spec)
    object atlas_finished_new(object type, PyObject* value)

Finished = PyType_FromSpec(&atlas_finished_spec)

FINISHED = atlas_finished_new(Finished, NULL)


cdef object finished(object value):
    """An awaitable whose result is ``value``, to be awaited once."""
    return atlas_finished_new(Finished, <PyObject*>value)


def of(value):
    """An awaitable whose result is ``value``; for tests, and for Python code on the request's path."""
    return finished(value)


def none():
    """The awaitable whose result is None."""
    return FINISHED
