"""The requests and answers of one socket."""

from atlas._speedups.http1.carrier cimport Carrier
from atlas._speedups.http.exchange cimport Exchange
from atlas._speedups.buffers.receive_buffer cimport Pending
from atlas._speedups.http1.request_parser cimport RequestParser

cdef enum ConnectionState:
    IDLE            # between two requests, or before the first: nothing of a request has come
    IN_HEAD         # some of a request's head has come
    IN_EXCHANGE     # a request is being worked on
    LINGERING       # the last answer is out; what still comes is thrown away, until the client closes
    CLOSING         # nothing is read any more; what is gathered leaves, then the transport closes
    CLOSED

cdef enum:
    READ_AHEAD = 65536          # bytes that may wait behind the current request before reading pauses
    BODY_AHEAD = 65536          # bytes of a body that may wait for the application before reading pauses
    DISCARD = 65536             # bytes of an unwanted body that are read to keep the connection
    LINGER_SECONDS = 2          # that a client has to close after an answer that it must be able to read
    TURN = 16                   # requests of one connection that are served before others have their turn


cdef class Conversation(Carrier):
    # Where the connection is, and the request that is being worked on.
    cdef ConnectionState state
    cdef Exchange exchange
    cdef RequestParser reader       # borrowed while a message is being read

    # What came and isn't read yet.
    cdef Pending pending

    # The reading side.
    cdef bint ended                 # the client sent all that it will send
    cdef bint written_eof           # and so did we
    cdef bint paused                # reading
    cdef bint resuming              # the loop will call resume()
    cdef Py_ssize_t behind          # bytes that came in one piece with the current request, behind it
    cdef Py_ssize_t discarded       # bytes of the body that nobody wanted
    cdef double deadline            # for the current state; 0: none

    # Reading.
    cdef int take(self, char* data, Py_ssize_t size) except -1
    cdef Py_ssize_t advance(self, char* data, Py_ssize_t size) except -1
    cdef Py_ssize_t read_request(self, char* data, Py_ssize_t size) except -1
    cdef Py_ssize_t read_body(self, char* data, Py_ssize_t size) except -1
    cdef bint has_waiting(self) noexcept
    cdef int settle(self) except -1
    cdef int set_reading(self) except -1

    # An exchange's begin and end.
    cdef int begin(self) except -1
    cdef bint refused_by_load(self) except -1
    cdef bint has_unread(self) noexcept
    cdef int end_exchange(self) except -1
    cdef int may_end(self) except -1
    cdef bint discards_rest(self, Exchange exchange) noexcept
    cdef int resume_soon(self) except -1

    # Leaving.
    cdef int refuse(self, object error) except -1
    cdef int linger(self) except -1
    cdef int end_writing(self) except -1
    cdef int close(self) except -1
    cpdef int abort(self) except -1
    cdef int drop_exchange(self) except -1
    cdef int return_reader(self) except -1
