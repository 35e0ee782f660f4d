"""A WebSocket on a connection of its own: hands what the connection reports to its session, and closes the connection.

A connection that is closed while something is unread is reset, and the client loses the close frame. So where the client
may still send, it is told that nothing follows, and has some time to close (RFC 6455, section 7.1.1; RFC 9112, 9.6).
"""

cimport cython

from atlas._speedups.buffers.connection cimport READING_ENDED, Protocol
from atlas._speedups.websocket.session cimport SessionStream, WebSocketSession

cdef enum:
    LINGER_SECONDS = 2


@cython.final
cdef class ConnectionStream(SessionStream):
    """Carries the frames of a session on a connection."""

    cdef int finish(self, bint unread) except -1:
        return self.protocol.finish(unread) if self.protocol is not None else 0


@cython.final
cdef class WebSocketProtocol(Protocol):
    """Speaks WebSocket on a connection.

    :param session: whose frames it carries.
    """

    def __cinit__(self, WebSocketSession session not None):
        self.session = session

    cdef int start(self) except -1:
        cdef ConnectionStream stream = ConnectionStream.__new__(ConnectionStream)
        stream.connection = self.connection
        stream.protocol = self
        self.session.stream = stream
        return stream.set_timeout(self.session.ping_interval)

    cdef int feed(self, char* data, Py_ssize_t size) except -1:
        return self.session.feed(data, size)

    cdef int feed_eof(self) except -1:
        if self.ending != NOT_ENDING:
            return self.connection.close()
        return self.session.feed_eof()

    cdef int end_turn(self) except -1:
        if self.connection.writer.out is not None:
            self.connection.writer.flush()
        return self.go_on_ending() if self.ending != NOT_ENDING else 0

    cdef int check_timeout(self, double now) except -1:
        if self.ending != NOT_ENDING:
            self.connection.deadline = 0
            self.ending = TO_CLOSE
            return self.connection.close()
        return self.session.check_timeout()

    cdef int drain(self) except -1:
        return self.session.drain()

    cdef int shut_down(self) except -1:
        """The time to drain is over: the client has not answered."""
        if self.ending == NOT_ENDING:
            self.session.drain()
            self.session.lost()
            return self.finish(True)
        return 0

    cdef int end_now(self) except -1:
        self.session.lost()
        return self.connection.writer.abort()

    cdef int lost(self) except -1:
        """Cut the reference cycle; the session stays with the application."""
        self.session.lost()
        (<ConnectionStream>self.session.stream).protocol = None
        return 0

    cdef int finish(self, bint unread) except -1:
        """The session is over: close when all that was written has left."""
        if self.ending == NOT_ENDING and not self.connection.is_lost():
            unread = unread or self.connection.has_unread()
            unread = unread and self.connection.reading != READING_ENDED and self.connection.can_write_eof()
            self.ending = TO_LINGER if unread else TO_CLOSE
            self.connection.set_timeout(LINGER_SECONDS)
            self.connection.resume_reading()
            if not self.connection.writer.in_turn:
                self.connection.writer.flush_later()
        return 0

    cdef int go_on_ending(self) except -1:
        """Close, or tell the client to, once all has left."""
        if self.connection.is_lost() or not self.connection.writer.is_empty():
            return 0
        if self.ending == TO_CLOSE:
            return self.connection.close()
        if self.ending == TO_LINGER:
            self.ending = LINGERING
            self.connection.set_timeout(LINGER_SECONDS)
            self.connection.write_eof()
        return 0
