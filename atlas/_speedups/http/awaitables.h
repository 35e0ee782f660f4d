/* What receive() and send() return: awaitables that are done in one step when nothing has to wait.
 *
 * Written in C for one slot that Cython classes don't have: am_send hands a value to the interpreter without an
 * exception, where __next__ would have to raise StopIteration. Both types have the methods of a coroutine, so that
 * asyncio.create_task(receive()) and asyncio.iscoroutine work as they do with a server written in Python.
 */
#include <Python.h>

/* One type serves both. Without a source it is finished with None. With one, it asks the source for its result when it
 * is awaited, not before: a wait that is cancelled before its first step has taken nothing. */
typedef struct {
    PyObject_HEAD
    PyObject *source;   /* has take_event(), and receive_later() for when that gives None; NULL when done */
    PyObject *waiting;  /* the coroutine of receive_later(), once it had to be asked */
    char asked;         /* there was a source */
} AtlasAwaitable;

static PySendResult atlas_am_send(PyObject *object, PyObject *sent, PyObject **result)
{
    AtlasAwaitable *self = (AtlasAwaitable *)object;
    if (self->waiting == NULL) {
        PyObject *source = self->source, *event;
        if (source == NULL) {
            if (self->asked) {
                PyErr_SetString(PyExc_RuntimeError, "expected receive() to be called again: its result was awaited already");
                *result = NULL;
                return PYGEN_ERROR;
            }
            *result = Py_NewRef(Py_None);
            return PYGEN_RETURN;
        }
        self->source = NULL;
        event = PyObject_CallMethod(source, "take_event", NULL);
        if (event == Py_None) {
            Py_DECREF(event);
            self->waiting = PyObject_CallMethod(source, "receive_later", NULL);
            event = NULL;
        }
        Py_DECREF(source);
        if (self->waiting == NULL) {
            *result = event;
            return event == NULL ? PYGEN_ERROR : PYGEN_RETURN;
        }
    }
    PyObject *waiting = Py_NewRef(self->waiting);
    PySendResult status = PyIter_Send(waiting, sent, result);
    Py_DECREF(waiting);
    if (status != PYGEN_NEXT) {
        Py_CLEAR(self->waiting);
    }
    return status;
}

static PyObject *atlas_send(PyObject *self, PyObject *sent)
{
    PyObject *result, *stop;
    PySendResult status = atlas_am_send(self, sent, &result);
    if (status != PYGEN_RETURN) {
        return result;
    }
    stop = PyObject_CallOneArg(PyExc_StopIteration, result);
    Py_DECREF(result);
    if (stop != NULL) {
        PyErr_SetObject(PyExc_StopIteration, stop);
        Py_DECREF(stop);
    }
    return NULL;
}

static PyObject *atlas_next(PyObject *self)
{
    return atlas_send(self, Py_None);
}

static PyObject *atlas_throw(PyObject *object, PyObject *args)
{
    AtlasAwaitable *self = (AtlasAwaitable *)object;
    PyObject *type, *value = NULL, *traceback = NULL;
    if (!PyArg_UnpackTuple(args, "throw", 1, 3, &type, &value, &traceback)) {
        return NULL;
    }
    if (self->waiting != NULL) {
        PyObject *throw = PyObject_GetAttrString(self->waiting, "throw");
        PyObject *result = throw == NULL ? NULL : PyObject_CallObject(throw, args);
        Py_XDECREF(throw);
        if (result == NULL) {
            Py_CLEAR(self->waiting);
        }
        return result;
    }
    Py_CLEAR(self->source);
    if (PyExceptionInstance_Check(type)) {
        PyErr_SetObject((PyObject *)Py_TYPE(type), type);
    } else if (PyExceptionClass_Check(type)) {
        PyErr_SetObject(type, value);
    } else {
        PyErr_Format(PyExc_TypeError, "expected an exception to throw, got %R", type);
    }
    return NULL;
}

static PyObject *atlas_close(PyObject *object, PyObject *Py_UNUSED(unused))
{
    AtlasAwaitable *self = (AtlasAwaitable *)object;
    PyObject *waiting = self->waiting, *result;
    self->waiting = NULL;
    Py_CLEAR(self->source);
    if (waiting == NULL) {
        Py_RETURN_NONE;
    }
    result = PyObject_CallMethod(waiting, "close", NULL);
    Py_DECREF(waiting);
    return result;
}

static PyObject *atlas_self(PyObject *self)
{
    return Py_NewRef(self);
}

static int atlas_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(((AtlasAwaitable *)self)->source);
    Py_VISIT(((AtlasAwaitable *)self)->waiting);
    return 0;
}

static int atlas_clear(PyObject *self)
{
    Py_CLEAR(((AtlasAwaitable *)self)->source);
    Py_CLEAR(((AtlasAwaitable *)self)->waiting);
    return 0;
}

static void atlas_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    atlas_clear(self);
    PyObject_GC_Del(self);
    Py_DECREF(type);
}

static PyMethodDef atlas_methods[] = {
    {"send", atlas_send, METH_O, "Go on, as a coroutine does."},
    {"throw", atlas_throw, METH_VARARGS, "Raise the exception where it waits; before the first step nothing was taken."},
    {"close", atlas_close, METH_NOARGS, "Stop waiting."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot atlas_slots[] = {
    {Py_tp_doc, "An awaitable that is done in one step when nothing has to wait."},
    {Py_tp_dealloc, atlas_dealloc},
    {Py_tp_traverse, atlas_traverse},
    {Py_tp_clear, atlas_clear},
    {Py_tp_methods, atlas_methods},
    {Py_tp_iter, atlas_self},
    {Py_tp_iternext, atlas_next},
    {Py_am_await, atlas_self},
    {Py_am_send, atlas_am_send},
    {0, NULL},
};

static PyType_Spec atlas_awaitable_spec = {
    "atlas._speedups.http.request_body.Finished", sizeof(AtlasAwaitable), 0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION, atlas_slots,
};

/* A new one that asks ``source``, or is finished with None where that is NULL; NULL where there is no memory. */
static PyObject *atlas_awaitable_new(PyObject *type, PyObject *source)
{
    AtlasAwaitable *self = PyObject_GC_New(AtlasAwaitable, (PyTypeObject *)type);
    if (self != NULL) {
        self->source = Py_XNewRef(source);
        self->waiting = NULL;
        self->asked = source != NULL;
        PyObject_GC_Track((PyObject *)self);
    }
    return (PyObject *)self;
}
