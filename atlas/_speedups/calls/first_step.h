/* The coroutine of a task that is created before its request: a proxy of the request's coroutine.
 *
 * The request's coroutine runs until it waits or ends. The outcome is kept, and the first step of the task returns or
 * raises it. Each later step of the task is a step of the request's coroutine, in the context of the request.
 *
 * Written in C for two features that Cython classes do not have: am_send, which returns a value to asyncio without a
 * StopIteration, and exceptions that pass through without an entry in their traceback.
 */
#include <Python.h>

typedef struct {
    PyObject_HEAD
    PyObject *coroutine;    /* the request's; NULL while the task has no request */
    PyObject *context;      /* the request's: the coroutine runs in it */
    PyObject *outcome;      /* of the first step, until the task's own first step takes it; else NULL */
    PySendResult status;    /* the kind of outcome: a yielded object, a return value or an exception */
} AtlasFirstStep;

/* Take the current exception, and set the current exception. */
#if PY_VERSION_HEX >= 0x030C0000
#define atlas_take_raised PyErr_GetRaisedException
#define atlas_raise PyErr_SetRaisedException
#else
static PyObject *atlas_take_raised(void)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    if (traceback != NULL) {
        PyException_SetTraceback(value, traceback);
        Py_DECREF(traceback);
    }
    Py_DECREF(type);
    return value;
}

static void atlas_raise(PyObject *error)
{
    PyErr_Restore(Py_NewRef((PyObject *)Py_TYPE(error)), error, PyException_GetTraceback(error));
}
#endif

/* Run a step of the request's coroutine, in its context. */
static PySendResult first_step_advance(AtlasFirstStep *self, PyObject *sent, PyObject **result)
{
    PySendResult status;
    PyObject *coroutine, *context;
    *result = NULL;
    if (self->coroutine == NULL) {
        *result = Py_NewRef(Py_None);
        return PYGEN_RETURN;
    }
    context = Py_NewRef(self->context);
    if (PyContext_Enter(context) < 0) {
        Py_DECREF(context);
        return PYGEN_ERROR;
    }
    coroutine = Py_NewRef(self->coroutine);
    status = PyIter_Send(coroutine, sent, result);
    Py_DECREF(coroutine);
    if (PyContext_Exit(context) < 0) {
        Py_CLEAR(*result);
        status = PYGEN_ERROR;
    }
    Py_DECREF(context);
    return status;
}

/* Return or raise the kept outcome. */
static PySendResult first_step_take_outcome(AtlasFirstStep *self, PyObject **result)
{
    PyObject *outcome = self->outcome;
    self->outcome = NULL;
    if (self->status == PYGEN_ERROR) {
        atlas_raise(outcome);
        outcome = NULL;
    }
    *result = outcome;
    return self->status;
}

static PySendResult first_step_am_send(PyObject *object, PyObject *sent, PyObject **result)
{
    AtlasFirstStep *self = (AtlasFirstStep *)object;
    return self->outcome == NULL ? first_step_advance(self, sent, result) : first_step_take_outcome(self, result);
}

static PyObject *first_step_send(PyObject *self, PyObject *sent)
{
    PyObject *result, *stop;
    PySendResult status = first_step_am_send(self, sent, &result);
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

static PyObject *first_step_next(PyObject *self)
{
    return first_step_send(self, Py_None);
}

/* Call a method of the request's coroutine in its context. */
static PyObject *first_step_call(AtlasFirstStep *self, const char *name, PyObject *args)
{
    PyObject *context = Py_NewRef(self->context), *method, *result = NULL;
    if (PyContext_Enter(context) == 0) {
        method = PyObject_GetAttrString(self->coroutine, name);
        if (method != NULL) {
            result = PyObject_CallObject(method, args);
            Py_DECREF(method);
        }
        if (PyContext_Exit(context) < 0) {
            Py_CLEAR(result);
        }
    }
    Py_DECREF(context);
    return result;
}

/* A task raises CancelledError here at its first step if it was cancelled while the coroutine ran ahead. A coroutine
 * that has returned meanwhile is cancelled; what it has raised takes precedence; and one that waits is cancelled where
 * it waits, by the caller (tasks.pyx). */
static PyObject *first_step_throw(PyObject *object, PyObject *args)
{
    AtlasFirstStep *self = (AtlasFirstStep *)object;
    PyObject *type, *value = NULL, *traceback = NULL, *result;
    if (!PyArg_UnpackTuple(args, "throw", 1, 3, &type, &value, &traceback)) {
        return NULL;
    }
    if (self->outcome != NULL && self->status != PYGEN_RETURN) {
        (void)first_step_take_outcome(self, &result);
        return result;
    }
    if (self->outcome == NULL && self->coroutine != NULL) {
        return first_step_call(self, "throw", args);
    }
    Py_CLEAR(self->outcome);
    if (PyExceptionInstance_Check(type)) {
        PyErr_SetObject((PyObject *)Py_TYPE(type), type);
    } else if (PyExceptionClass_Check(type)) {
        PyErr_SetObject(type, value);
    } else {
        PyErr_Format(PyExc_TypeError, "expected an exception to throw, got %R", type);
    }
    return NULL;
}

static PyObject *first_step_close(PyObject *object, PyObject *Py_UNUSED(unused))
{
    AtlasFirstStep *self = (AtlasFirstStep *)object;
    Py_CLEAR(self->outcome);
    if (self->coroutine == NULL) {
        Py_RETURN_NONE;
    }
    return first_step_call(self, "close", NULL);
}

static PyObject *first_step_self(PyObject *self)
{
    return Py_NewRef(self);
}

/* cr_frame, cr_await, __qualname__ and others, which debuggers, repr(task) and task.get_stack() read. */
static PyObject *first_step_getattr(PyObject *object, PyObject *name)
{
    PyObject *coroutine = ((AtlasFirstStep *)object)->coroutine, *found = PyObject_GenericGetAttr(object, name);
    if (found == NULL && coroutine != NULL && PyErr_ExceptionMatches(PyExc_AttributeError)) {
        PyErr_Clear();
        found = PyObject_GetAttr(coroutine, name);
    }
    return found;
}

static PyObject *first_step_repr(PyObject *object)
{
    PyObject *coroutine = ((AtlasFirstStep *)object)->coroutine;
    return coroutine == NULL ? PyUnicode_FromString("<FirstStep of no request>") : PyObject_Repr(coroutine);
}

static int first_step_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(((AtlasFirstStep *)self)->coroutine);
    Py_VISIT(((AtlasFirstStep *)self)->context);
    Py_VISIT(((AtlasFirstStep *)self)->outcome);
    return 0;
}

static int first_step_clear(PyObject *self)
{
    Py_CLEAR(((AtlasFirstStep *)self)->coroutine);
    Py_CLEAR(((AtlasFirstStep *)self)->context);
    Py_CLEAR(((AtlasFirstStep *)self)->outcome);
    return 0;
}

static void first_step_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    first_step_clear(self);
    PyObject_GC_Del(self);
    Py_DECREF(type);
}

static PyMethodDef first_step_methods[] = {
    {"send", first_step_send, METH_O, "Resume the coroutine with a value."},
    {"throw", first_step_throw, METH_VARARGS, "Raise the exception where the coroutine waits."},
    {"close", first_step_close, METH_NOARGS, "Close the coroutine."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot first_step_slots[] = {
    {Py_tp_doc, "The coroutine of a request's task."},
    {Py_tp_dealloc, first_step_dealloc},
    {Py_tp_traverse, first_step_traverse},
    {Py_tp_clear, first_step_clear},
    {Py_tp_methods, first_step_methods},
    {Py_tp_getattro, first_step_getattr},
    {Py_tp_repr, first_step_repr},
    {Py_tp_iter, first_step_self},
    {Py_tp_iternext, first_step_next},
    {Py_am_await, first_step_self},
    {Py_am_send, first_step_am_send},
    {0, NULL},
};

static PyType_Spec atlas_first_step_spec = {
    "atlas._speedups.calls.tasks.FirstStep", sizeof(AtlasFirstStep), 0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION, first_step_slots,
};

/* Create a FirstStep without a coroutine; return NULL with an exception if there is no memory. */
static PyObject *atlas_first_step_new(PyObject *type)
{
    AtlasFirstStep *self = PyObject_GC_New(AtlasFirstStep, (PyTypeObject *)type);
    if (self != NULL) {
        self->coroutine = self->context = self->outcome = NULL;
        self->status = PYGEN_RETURN;
        PyObject_GC_Track((PyObject *)self);
    }
    return (PyObject *)self;
}

/* Run the first step of a request's coroutine, and keep the outcome. */
static PySendResult atlas_first_step_run(PyObject *object, PyObject *coroutine, PyObject *context)
{
    AtlasFirstStep *self = (AtlasFirstStep *)object;
    PyObject *outcome;
    Py_XSETREF(self->coroutine, Py_NewRef(coroutine));
    Py_XSETREF(self->context, Py_NewRef(context));
    self->status = first_step_advance(self, Py_None, &outcome);
    if (self->status == PYGEN_ERROR) {
        outcome = atlas_take_raised();
    }
    Py_XSETREF(self->outcome, outcome);
    return self->status;
}

/* Return the kept outcome. */
static PyObject *atlas_first_step_outcome(PyObject *object)
{
    return Py_NewRef(((AtlasFirstStep *)object)->outcome);
}

/* Return the kept outcome, and drop all references to the request. The fields are cleared first,
 * because a finalizer may start another request here. */
static PyObject *atlas_first_step_take(PyObject *object)
{
    AtlasFirstStep *self = (AtlasFirstStep *)object;
    PyObject *outcome = self->outcome, *coroutine = self->coroutine, *context = self->context;
    self->outcome = self->coroutine = self->context = NULL;
    Py_DECREF(coroutine);
    Py_DECREF(context);
    return outcome;
}
