"""``loop`` in templates."""


cdef class LoopState:
    # What it iterates over, and how far it has come.
    cdef public object _iterable
    cdef public object _iterator
    cdef public object _undefined      # the class of undefined values
    cdef public object _recurse        # renders the body for other items; None if the loop is not recursive
    cdef public Py_ssize_t depth0
    cdef public Py_ssize_t index0
    cdef Py_ssize_t known_length       # -1 until it is asked for

    # The items around the current one; MISSING if there is none, or not yet.
    cdef object after
    cdef object current
    cdef object before
    cdef object last_value

    cdef int start(self, object iterable, object undefined) except -1
    cdef object advance(self)
    cdef object peek(self)
    cdef Py_ssize_t count(self) except -1


cdef LoopState new_loop(object kind, object iterable, object undefined)
