"""The awaitables of ``atlas/_speedups/http/awaitables.h`` over any source."""

from cpython.object cimport PyObject

from atlas._speedups.http.request_body import Finished, finished

cdef extern from "awaitables.h":
    object atlas_awaitable_new(object type, PyObject* source)


def of(source):
    """An awaitable that asks ``source`` when it is awaited: ``take_event()``, and if that is None ``receive_later()``."""
    return atlas_awaitable_new(Finished, <PyObject*>source)


def none():
    """The awaitable whose result is None."""
    return finished()
