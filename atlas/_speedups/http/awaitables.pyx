"""Awaitables that are done in one step when nothing has to wait: what ``receive`` and ``send`` return."""

from cpython.object cimport PyObject

cdef extern from "awaitables.h":
    ctypedef struct PyType_Spec:
        pass
    PyType_Spec atlas_awaitable_spec
    object PyType_FromSpec(PyType_Spec* spec)
    object atlas_awaitable_new(object type, PyObject* source)

Finished = PyType_FromSpec(&atlas_awaitable_spec)

FINISHED = atlas_awaitable_new(Finished, NULL)


cdef object receipt(object source):
    """An awaitable that asks ``source`` when it is awaited: ``take_event()``, and if that is None ``receive_later()``."""
    return atlas_awaitable_new(Finished, <PyObject*>source)


# Python's view, for tests.

def of(source):
    """An awaitable that asks ``source`` when it is awaited; to be awaited once."""
    return receipt(source)


def none():
    """The awaitable whose result is None."""
    return FINISHED
