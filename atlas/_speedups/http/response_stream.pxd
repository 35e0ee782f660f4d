"""How a response becomes bytes: the interface between an exchange and the protocol that carries it."""

from atlas._speedups.buffers.connection cimport Connection

# What a response's fields say about its framing and its connection, gathered while they are encoded.
cdef struct HeadFacts:
    bint has_length
    long long length
    bint has_transfer_encoding
    bint has_date
    bint has_server
    bint close                  # the application said "connection: close"

cdef bint forbids_body(int status) noexcept nogil
cdef bint has_event_stream(object headers) except -1
cdef int final_status(object status) except -1
cdef list field_pairs(object headers)
cdef object event_field(object event, str key, object default)
cdef bint is_type(object kind, const char* name, Py_ssize_t size) noexcept


# What a request becomes that is answered by another protocol than HTTP, such as a WebSocket.
cdef class Session:
    cdef int handshake_lost(self) except -1     # the client left before the exchange was answered


cdef class FieldLine:
    # A field that is sent often: as a pair of bytes, and as a line of HTTP/1.
    cdef readonly tuple pair
    cdef bytes line


cdef class ResponseStream:
    # The connection that the response leaves by.
    cdef Connection connection
    cdef readonly bint keeps_heads      # a head that was encoded once can be sent again

    # The head: held until the body's first piece tells the framing. ``whole``: that piece, of ``size`` bytes, is the body.
    cdef int hold_head(self, int status, FieldLine first, list fields, HeadFacts* facts) except -1
    cdef int hold_length(self, HeadFacts* facts, long long size) except -1
    cdef int hold_encoded(self, bytes head) except -1
    cdef bytes held_head(self)
    cdef int drop_head(self) except -1
    cdef int send_head(
        self, int status, HeadFacts* facts, bint bodyless, bint trailers, bint whole, long long size
    ) except -1

    # The body: either send_data(), or begin_data(), write_data() ... and end_data() for a piece that comes in parts; then
    # trailers. Interim responses come before the head.
    cdef int send_data(self, bytes data, bint last) except -1
    cdef int begin_data(self, long long size) except -1
    cdef int write_data(self, bytes data) except -1
    cdef int end_data(self, long long size, bint last) except -1
    cdef int send_trailers(self, list fields, bint last) except -1
    cdef int send_interim(self, int status, list fields) except -1

    # The handshake of a session is accepted: the head leaves, and then the stream is the session's.
    cdef int open_session(self, Session session, list fields) except -1

    # How it ends.
    cdef int response_done(self) except -1
    cdef int response_failed(self) except -1
    cdef int reset(self) except -1

    # The request's body.
    cdef int want_body(self) except -1
    cdef int body_taken(self, Py_ssize_t size) except -1

    # Backpressure.
    cdef bint is_lost(self) noexcept
    cdef bint is_writable(self) noexcept
    cdef bint is_flushed(self) noexcept
    cdef int flush(self) except -1
    cdef object wait_writable(self)
    cdef int cancel_wait(self, object future) except -1
    cdef int socket_fd(self) noexcept
