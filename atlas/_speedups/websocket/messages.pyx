"""The messages of a WebSocket, for an application that needs no events: no dict is made for a message."""

cimport cython

from atlas._speedups.http.request_body cimport FINISHED, result_of
from atlas._speedups.websocket.events cimport WebSocketEvents
from atlas._speedups.websocket.session cimport CONNECTING, WebSocketSession

from atlas.errors import WebSocketDisconnected


@cython.final
cdef class WebSocketMessages:
    """The messages of a session, in both directions; an asynchronous iterator that ends with the session.

    :param session: the session. It is accepted by the first call that needs it, unless :meth:`accept` was called.
    """

    def __cinit__(self, WebSocketSession session not None):
        self.session = session

    @property
    def subprotocols(self):
        """What the client offers, in its order."""
        return list(self.session.handshake.subprotocols)

    @property
    def accepted(self):
        """Was the handshake accepted? Also true of a session that has ended since."""
        return self.session.stream is not None

    @property
    def closed(self):
        """Has the session ended, or was it denied?"""
        return self.session.close_code != 0

    def accept(self, subprotocol=None, list headers=None):
        """Accept the handshake. Raises TypeError or ValueError for what can't be sent, RuntimeError a second time."""
        self.session.accept(subprotocol, headers or [])
        return FINISHED

    cdef int accept_now(self) except -1:
        return self.session.accept(None, []) if self.session.state == CONNECTING else 0

    # Receiving.

    def receive(self):
        """An awaitable of the next message (str or bytes).

        :raises WebSocketDisconnected: the session has ended, and all that came before was received.
        """
        self.accept_now()
        return result_of(self)

    def take_event(self):
        """The next message, or None if there is none yet."""
        cdef object message = self.session.next_message()
        if message is None and self.session.close_code != 0:
            raise WebSocketDisconnected(self.session.close_code, self.session.close_reason)
        return message

    async def receive_later(self):
        """Wait for a message."""
        cdef object message = None
        while message is None:
            await self.session.wait()
            message = self.take_event()
        return message

    def __aiter__(self):
        cdef Iteration iteration = Iteration.__new__(Iteration)
        iteration.messages = self
        return iteration

    # Sending.

    def send(self, message):
        """Send a text (str) or bytes; an awaitable that is done when there is room for more.

        :raises WebSocketDisconnected: the session has ended.
        :raises TypeError: for anything else.
        """
        self.accept_now()
        if not self.session.is_writable():
            return self.send_later(message)
        self.send_now(message)
        return FINISHED

    async def send_later(self, message):
        await self.session.wait_writable()
        self.send_now(message)

    cdef int send_now(self, object message) except -1:
        self.session.check_open("a message")
        if not isinstance(message, (str, bytes, bytearray, memoryview)):
            raise TypeError(f"expected a message as str or bytes, got {type(message).__name__}")
        return self.session.send_message(message)

    def close(self, code=1000, reason=None):
        """Close; a handshake that was not accepted is denied with 403. Nothing happens where the client has closed."""
        if not self.session.closed_by_application:
            self.session.close(code, reason)
        return FINISHED

    def deny(self):
        """What denies the handshake with a response: ASGI's ``send`` of a WebSocket."""
        return WebSocketEvents.__new__(WebSocketEvents, self.session).send


@cython.final
cdef class Iteration:
    """Iterates over the messages of a session, until its end."""

    def __aiter__(self):
        return self

    def __anext__(self):
        self.messages.accept_now()
        return result_of(self)

    def take_event(self):
        cdef WebSocketSession session = self.messages.session
        cdef object message = session.next_message()
        if message is None and session.close_code != 0:
            raise StopAsyncIteration
        return message

    async def receive_later(self):
        cdef object message = None
        while message is None:
            await self.messages.session.wait()
            message = self.take_event()
        return message
