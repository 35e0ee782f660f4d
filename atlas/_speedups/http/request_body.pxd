"""The body of a request, from the protocol that reads it to the application that receives it."""

from atlas._speedups.http.response_stream cimport ResponseStream

cdef enum BodyState:
    BODY_COMING         # more of the body is expected
    BODY_THERE          # all of it has come
    BODY_GIVEN          # the application has received all of it
    BODY_LOST           # the rest will not come: the client left, or its body isn't read any more

cdef object FINISHED            # an awaitable whose result is None; one object for all

# An awaitable of what the source has: its take_event() returns that, or None; then the coroutine receive_later() waits.
cdef object result_of(object source)


cdef class RequestBody:
    # The event loop; the stream that the body comes by, None once the response is over.
    cdef object loop
    cdef ResponseStream stream

    # Where the body is, and the pieces that the application hasn't received yet (small ones are joined).
    cdef BodyState state
    cdef list pieces
    cdef Py_ssize_t size
    cdef bint partly_received       # the application has received some of the body, and not the rest
    cdef bint half_closed           # the client will send nothing more
    cdef bint told                  # ``receive`` has told of a disconnect

    # Futures of the callers that wait for an event.
    cdef list waiters

    # The protocol's side.
    cdef int add(self, list pieces, Py_ssize_t size, bint complete) except -1
    cdef int append(self, bytes piece) except -1
    cdef int lose(self) except -1
    cdef int close(self) except -1

    # The application's side.
    cdef object receive(self)
    cdef dict next_event(self)
    cdef dict take_pieces(self)
    cdef bytes take_whole(self)
    cdef int cancel_wait(self, object future) except -1
    cdef int wake(self) except -1
