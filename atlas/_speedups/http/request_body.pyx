"""The body of a request, from the protocol that reads it to the application that receives it.

What ``receive`` returns are the events ``http.request`` and ``http.disconnect`` of ASGI 3 (HTTP message format 2.5).
"""

cimport cython
from cpython.object cimport PyObject

from atlas._speedups.http.response_stream cimport ResponseStream

cdef extern from "awaitables.h":
    ctypedef struct PyType_Spec:
        pass
    PyType_Spec atlas_awaitable_spec
    object PyType_FromSpec(PyType_Spec* spec)
    object atlas_awaitable_new(object type, PyObject* source)

cdef enum:
    LARGE_PIECE = 16384     # pieces below this size are joined

Finished = PyType_FromSpec(&atlas_awaitable_spec)
FINISHED = atlas_awaitable_new(Finished, NULL)


cdef object result_of(object source):
    """An awaitable of the next event of a source, which is asked when it is awaited: a wait that is cancelled before it
    began has lost nothing."""
    return atlas_awaitable_new(Finished, <PyObject*>source)


def finished():
    """The awaitable whose result is None: what ``send`` returns where nothing has to wait."""
    return FINISHED


@cython.final
@cython.freelist(32)
cdef class RequestBody:
    """The body of one request.

    :param loop: the event loop. :param stream: that the body comes by. :param coming: whether there is a body.
    """

    def __cinit__(self, loop, ResponseStream stream, bint coming):
        self.loop = loop
        self.stream = stream
        self.state = BODY_COMING if coming else BODY_THERE

    # The protocol's side.

    cdef int add(self, list pieces, Py_ssize_t size, bint complete) except -1:
        """Some of the body was read, perhaps the last of it. ``pieces`` may be None.

        What comes after :meth:`lose` is dropped: with pieces missing in front of it, it must not pass for the whole body.
        """
        if self.state == BODY_LOST:
            return 0
        if pieces is not None:
            # A chunk of two bytes is an object of forty: what waits is to cost little more than its size.
            self.append(<bytes?>pieces[0] if len(pieces) == 1 else b"".join(pieces))
            self.size += size
        if complete:
            self.state = BODY_THERE
        return self.wake()

    cdef int append(self, bytes piece) except -1:
        """Append a piece, joined with those before it that are not larger: n small ones become at most log n."""
        cdef list pieces = self.pieces
        if pieces is None:
            self.pieces = [piece]
            return 0
        while pieces and len(piece) < LARGE_PIECE and len(<bytes>pieces[len(pieces) - 1]) <= len(piece):
            piece = <bytes>pieces.pop() + piece
        pieces.append(piece)
        return 0

    cdef int lose(self) except -1:
        """The client sends nothing more, or isn't read any more: a body that isn't whole is lost.

        One that has come whole can still be received.
        """
        self.half_closed = True
        if self.state == BODY_COMING:
            self.state = BODY_LOST
            self.pieces = None
            self.size = 0
        return self.wake()

    cdef int close(self) except -1:
        """The response is over: from now on ``receive`` tells of a disconnect."""
        self.stream = None
        self.pieces = None
        self.size = 0
        return self.wake()

    # The application's side.

    cdef object receive(self):
        """An awaitable of the next event."""
        return result_of(self)

    def take_event(self):
        """The next event, or None if there is none yet."""
        return self.next_event()

    async def receive_later(self):
        """Wait for an event."""
        cdef dict event = self.next_event()
        while event is None:
            future = self.loop.create_future()
            if self.waiters is None:
                self.waiters = [future]
            else:
                self.waiters.append(future)
            try:
                self.stream.want_body()
                await future
            finally:
                self.cancel_wait(future)
            event = self.next_event()
        return event

    cdef int cancel_wait(self, object future) except -1:
        """The caller doesn't wait any more."""
        if self.waiters is not None and future in self.waiters:
            self.waiters.remove(future)
            if not self.waiters:
                self.waiters = None
        return 0

    cdef int wake(self) except -1:
        """Let the callers that wait look again."""
        cdef list waiters = self.waiters
        self.waiters = None
        if waiters is not None:
            for future in waiters:
                if not future.done():
                    future.set_result(None)
        return 0

    cdef dict next_event(self):
        """The next event, or None if there is none yet."""
        if self.stream is None or self.stream.is_lost():
            self.told = True
            return {"type": "http.disconnect"}
        if self.state == BODY_COMING:
            return self.take_pieces() if self.pieces is not None else None
        if self.state == BODY_THERE:
            return self.take_pieces()
        if self.state != BODY_LOST and not self.half_closed:
            return None
        self.told = True
        return {"type": "http.disconnect"}

    cdef dict take_pieces(self):
        """What has come of the body, as one event."""
        cdef list pieces = self.pieces
        cdef bint more = self.state == BODY_COMING
        cdef Py_ssize_t size = self.size
        self.pieces = None
        self.size = 0
        if not more:
            self.state = BODY_GIVEN
        if pieces is None:
            return {"type": "http.request", "body": b"", "more_body": more}
        if more:
            self.partly_received = True
        self.stream.body_taken(size)
        body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        return {"type": "http.request", "body": body, "more_body": more}

    cdef bytes take_whole(self):
        """The body, if all of it has come and none of it was received; else None."""
        cdef list pieces = self.pieces
        if self.state != BODY_THERE or self.stream is None or self.partly_received:
            return None
        cdef Py_ssize_t size = self.size
        self.pieces = None
        self.size = 0
        self.state = BODY_GIVEN
        if pieces is None:
            return b""
        self.stream.body_taken(size)
        return <bytes?>pieces[0] if len(pieces) == 1 else b"".join(pieces)
