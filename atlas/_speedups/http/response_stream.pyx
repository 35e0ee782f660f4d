"""How a response becomes bytes: the interface between an exchange and the protocol that carries it.

An exchange keeps the rules of HTTP that no version differs in; a stream knows the bytes of its version.
"""

cimport cython
from cpython.dict cimport PyDict_GetItemWithError
from cpython.object cimport PyObject
from libc.string cimport memcmp

cdef extern from "Python.h":
    bint PyUnicode_CheckExact(object text)
    bint PyUnicode_IS_COMPACT_ASCII(object text)
    Py_ssize_t PyUnicode_GET_LENGTH(object text)
    void* PyUnicode_DATA(object text)


cdef bint forbids_body(int status) noexcept nogil:
    """Does a response of this status end with its head, whatever its fields say (RFC 9112, section 6.3, rule 1)?"""
    return status == 204 or status == 304 or 100 <= status <= 199


cdef bint has_event_stream(object headers) except -1:
    """Do the fields of a response say that it is a stream of server-sent events (HTML standard, section 9.2)?"""
    if not isinstance(headers, (list, tuple)):
        return False
    for name, value in headers:
        if name.lower() == b"content-type":
            return bytes(value).lstrip().lower().startswith(b"text/event-stream")
    return False


cdef int final_status(object status) except -1:
    """The status of a final response, as the application gave it. Raises TypeError or ValueError."""
    if type(status) is not int:
        if not isinstance(status, int):
            raise TypeError(f"expected the status of a response as an int, got {status!r}")
        status = int(status)
    if not 200 <= status <= 999:
        # RFC 9110, section 15.2: a 1xx is no final response, and the client would wait for one.
        raise ValueError(f"expected the status of a final response, 200 to 999, got {status}")
    return status


cdef object event_field(object event, str key, object default):
    """A field of an ASGI event; ``default`` if it isn't there."""
    cdef PyObject* value
    if type(event) is not dict:
        return event.get(key, default)
    value = PyDict_GetItemWithError(event, key)
    return default if value is NULL else <object>value


cdef bint is_type(object kind, const char* name, Py_ssize_t size) noexcept:
    """Is the type of an ASGI event this one? Such strings are not interned, so most comparisons look at the text."""
    return (
        PyUnicode_CheckExact(kind) and PyUnicode_IS_COMPACT_ASCII(kind) and PyUnicode_GET_LENGTH(kind) == size
        and memcmp(PyUnicode_DATA(kind), name, size) == 0
    )


cdef list field_pairs(object headers):
    """The application's headers, an iterable of (name, value) pairs, as a list of tuples.

    Code of the application that this runs is run here, before the first byte of a head is written.
    """
    cdef list pairs = []
    cdef bint is_list = type(headers) is list
    if headers is None:
        return pairs
    if is_list:
        for pair in <list>headers:
            if type(pair) is not tuple or len(<tuple>pair) != 2:
                is_list = False
                break
    if is_list:
        return <list>headers
    for pair in headers:
        try:
            name, value = pair
        except (TypeError, ValueError):
            raise TypeError(f"expected headers as pairs of (name, value) in bytes, got {pair!r}") from None
        pairs.append((name, value))
    return pairs


cdef class Session:
    """A conversation that begins with an exchange. Base class."""

    cdef int handshake_lost(self) except -1:
        """The client left before the exchange was answered."""
        return 0


@cython.final
cdef class FieldLine:
    """A header field that is sent often, encoded once.

    :param name: in lower case. :param value: ASCII.
    """

    def __cinit__(self, str name not None, str value not None):
        self.pair = (name.encode("ascii"), value.encode("ascii"))
        self.line = self.pair[0] + b": " + self.pair[1] + b"\r\n"


cdef class ResponseStream:
    """How a response becomes bytes of one protocol. Base class; an exchange calls it in the order of the message.

    A head is held until the first piece of the body has told the framing. Methods that encode an application's fields
    raise TypeError or ValueError for what must not be sent, and have written nothing then.
    """

    cdef int hold_head(self, int status, FieldLine first, list fields, HeadFacts* facts) except -1:
        """Encode a head, and fill ``facts``. ``first`` and ``fields`` may be None."""
        raise NotImplementedError

    cdef int hold_length(self, HeadFacts* facts, long long size) except -1:
        """Add the body's length to the held head."""
        raise NotImplementedError

    cdef int hold_encoded(self, bytes head) except -1:
        """Hold a head as :meth:`held_head` returned it."""
        raise NotImplementedError

    cdef bytes held_head(self):
        """The held head as encoded; only where ``keeps_heads``."""
        raise NotImplementedError

    cdef int drop_head(self) except -1:
        """Drop the held head: as if the response had never been started."""
        raise NotImplementedError

    cdef int send_head(
        self, int status, HeadFacts* facts, bint bodyless, bint trailers, bint whole, long long size
    ) except -1:
        """Let the held head leave.

        ``bodyless``: no body is sent, whatever comes. ``trailers``: trailer fields follow the body. ``whole``: the first
        piece, of ``size`` bytes, is the whole body.
        """
        raise NotImplementedError

    cdef int send_data(self, bytes data, bint last) except -1:
        """Send a piece of the body."""
        raise NotImplementedError

    cdef int begin_data(self, long long size) except -1:
        """The next ``size`` bytes of the body come by :meth:`write_data` or leave by sendfile(2)."""
        raise NotImplementedError

    cdef int write_data(self, bytes data) except -1:
        """Send some of the bytes that :meth:`begin_data` announced."""
        raise NotImplementedError

    cdef int end_data(self, long long size, bint last) except -1:
        """These ``size`` bytes have been written."""
        raise NotImplementedError

    cdef int send_trailers(self, list fields, bint last) except -1:
        """Send trailer fields behind the body; ``last``: they are complete."""
        raise NotImplementedError

    cdef int send_interim(self, int status, list fields) except -1:
        """Send a 1xx response (RFC 9110, section 15.2)."""
        raise NotImplementedError

    cdef int open_session(self, Session session, list fields) except -1:
        """Send the head that accepts a handshake, and leave what carries the response to the session."""
        raise NotImplementedError

    cdef int response_done(self) except -1:
        """The response is whole: its bytes leave, the connection goes on or closes."""
        raise NotImplementedError

    cdef int response_failed(self) except -1:
        """The response will never be whole: the client must be able to tell."""
        raise NotImplementedError

    cdef int reset(self) except -1:
        """Give the client up."""
        raise NotImplementedError

    cdef int want_body(self) except -1:
        """The application waits for more of the body."""
        raise NotImplementedError

    cdef int body_taken(self, Py_ssize_t size) except -1:
        """The application has received ``size`` bytes of the body: there is room for more."""
        raise NotImplementedError

    cdef bint is_lost(self) noexcept:
        """Can nothing be sent any more?"""
        return self.connection.is_lost()

    cdef bint is_writable(self) noexcept:
        """May the application send now, or has the client to read first?"""
        return self.connection.writer.is_writable()

    cdef bint is_flushed(self) noexcept:
        """Has everything left the process?"""
        return True

    cdef int flush(self) except -1:
        """Send what is gathered now."""
        return self.connection.writer.flush()

    cdef object wait_writable(self):
        """A future that is done when the stream is writable, or lost."""
        return self.connection.writer.wait_writable()

    cdef int cancel_wait(self, object future) except -1:
        """The caller doesn't wait any more."""
        return self.connection.writer.cancel_wait(future)

    cdef int socket_fd(self) noexcept:
        """The descriptor of a socket that the body's bytes may be written to directly; -1 where there is none."""
        return -1
