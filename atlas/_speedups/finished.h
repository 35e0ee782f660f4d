/* An awaitable that is finished before it is awaited: what receive() and send() return when nothing has to wait.
 *
 * Written in C for one slot that Cython classes don't have: am_send hands the value to the interpreter without an
 * exception, where __next__ would have to raise StopIteration. It has the methods of a coroutine, so that
 * asyncio.create_task(receive()) and asyncio.iscoroutine work as they do with a server written in Python.
 */
#include <Python.h>

typedef struct {
    PyObject_HEAD
    PyObject *value;    /* given away by the first await; NULL stands for None */
} AtlasFinished;

static PyObject *atlas_finished_take(AtlasFinished *self)
{
    PyObject *value = self->value;
    self->value = NULL;
    if (value == NULL) {
        Py_RETURN_NONE;
    }
    return value;
}

static PySendResult atlas_finished_am_send(PyObject *self, PyObject *Py_UNUSED(sent), PyObject **result)
{
    *result = atlas_finished_take((AtlasFinished *)self);
    return PYGEN_RETURN;
}

static PyObject *atlas_finished_stop(PyObject *self)
{
    PyObject *value = atlas_finished_take((AtlasFinished *)self);
    PyObject *stop = PyObject_CallOneArg(PyExc_StopIteration, value);
    Py_DECREF(value);
    if (stop != NULL) {
        PyErr_SetObject(PyExc_StopIteration, stop);
        Py_DECREF(stop);
    }
    return NULL;
}

static PyObject *atlas_finished_send(PyObject *self, PyObject *Py_UNUSED(sent))
{
    return atlas_finished_stop(self);
}

static PyObject *atlas_finished_throw(PyObject *Py_UNUSED(self), PyObject *args)
{
    PyObject *type, *value = NULL, *traceback = NULL;
    if (!PyArg_UnpackTuple(args, "throw", 1, 3, &type, &value, &traceback)) {
        return NULL;
    }
    if (PyExceptionInstance_Check(type)) {
        PyErr_SetObject((PyObject *)Py_TYPE(type), type);
    } else if (PyExceptionClass_Check(type)) {
        PyErr_SetObject(type, value);
    } else {
        PyErr_Format(PyExc_TypeError, "expected an exception to throw, got %R", type);
    }
    return NULL;
}

static PyObject *atlas_finished_close(PyObject *self, PyObject *Py_UNUSED(unused))
{
    Py_CLEAR(((AtlasFinished *)self)->value);
    Py_RETURN_NONE;
}

static PyObject *atlas_finished_await(PyObject *self)
{
    return Py_NewRef(self);
}

static void atlas_finished_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    Py_CLEAR(((AtlasFinished *)self)->value);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef atlas_finished_methods[] = {
    {"send", atlas_finished_send, METH_O, "Finish, as a coroutine that never had to wait."},
    {"throw", atlas_finished_throw, METH_VARARGS, "Raise the exception."},
    {"close", atlas_finished_close, METH_NOARGS, "Drop the value."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot atlas_finished_slots[] = {
    {Py_tp_doc, "An awaitable that is finished before it is awaited."},
    {Py_tp_dealloc, atlas_finished_dealloc},
    {Py_tp_methods, atlas_finished_methods},
    {Py_tp_iter, atlas_finished_await},
    {Py_tp_iternext, atlas_finished_stop},
    {Py_am_await, atlas_finished_await},
    {Py_am_send, atlas_finished_am_send},
    {0, NULL},
};

static PyType_Spec atlas_finished_spec = {
    "atlas._speedups.finished.Finished", sizeof(AtlasFinished), 0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, atlas_finished_slots,
};

/* A new Finished with this value; NULL with an exception set where there is no memory. */
static PyObject *atlas_finished_new(PyObject *type, PyObject *value)
{
    AtlasFinished *self = PyObject_New(AtlasFinished, (PyTypeObject *)type);
    if (self != NULL) {
        self->value = Py_XNewRef(value);
    }
    return (PyObject *)self;
}
