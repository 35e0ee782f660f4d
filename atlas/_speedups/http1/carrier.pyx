"""What an exchange asks of its connection."""


cdef class Carrier(Channel):
    """A connection as its exchange sees it; :class:`Connection` answers."""

    cdef int body_wanted(self, object exchange) except -1:
        """The application waits for the body: say 100 Continue if that is due, read on."""
        raise NotImplementedError

    cdef bint reusable(self, object exchange) noexcept:
        """May the connection carry another request after this response? Asked when its head is finished."""
        return False

    cdef int response_done(self, object exchange) except -1:
        """The response is whole."""
        raise NotImplementedError

    cdef int response_failed(self, object exchange) except -1:
        """The response will never be whole."""
        raise NotImplementedError
