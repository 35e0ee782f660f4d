"""The ASGI events of a WebSocket (ASGI 3, WebSocket message format 2.5): what an ASGI application is called with."""

cimport cython

from atlas._speedups.http.request_body cimport FINISHED, result_of
from atlas._speedups.http.response_stream cimport event_field, field_pairs, is_type
from atlas._speedups.websocket.frames cimport ABNORMAL
from atlas._speedups.websocket.session cimport DENYING, WebSocketSession


@cython.final
cdef class WebSocketEvents:
    """The events of a session, in both directions.

    :param session: the session.
    """

    def __cinit__(self, WebSocketSession session not None):
        self.session = session

    def scope(self):
        """A new ASGI scope of type "websocket": a dict that belongs to the caller."""
        cdef dict scope = self.session.exchange.make_scope()
        cdef dict extensions = {"websocket.http.response": {}}
        del scope["method"]
        scope["type"] = "websocket"
        scope["scheme"] = "wss" if scope["scheme"] in ("https", "wss") else "ws"
        scope["subprotocols"] = list(self.session.handshake.subprotocols)
        if "tls" in scope["extensions"]:
            extensions["tls"] = scope["extensions"]["tls"]
        scope["extensions"] = extensions
        return scope

    # Receiving.

    def receive(self):
        """ASGI's ``receive``: an awaitable of the next event (a dict)."""
        return result_of(self)

    def take_event(self):
        """The next event, or None if there is none yet."""
        cdef object message
        if not self.told_connect:
            self.told_connect = True
            return {"type": "websocket.connect"}
        message = self.session.next_message()
        if message is not None:
            if type(message) is str:
                return {"type": "websocket.receive", "text": message}
            return {"type": "websocket.receive", "bytes": message}
        if self.session.close_code == 0:
            return None
        if self.told_disconnect:
            raise RuntimeError("expected no receive() after websocket.disconnect")
        return self.disconnect_event()

    async def receive_later(self):
        """Wait for an event."""
        cdef bint told = self.told_disconnect
        cdef object event = None
        while event is None:
            await self.session.wait()
            # Several may wait: each of them is told.
            event = self.disconnect_event() if self.told_disconnect and not told else self.take_event()
        return event

    cdef dict disconnect_event(self):
        self.told_disconnect = True
        return {
            "type": "websocket.disconnect", "code": self.session.close_code, "reason": self.session.close_reason
        }

    # Sending.

    def send(self, event):
        """ASGI's ``send``: an awaitable of None.

        :raises ClientDisconnected: the client closed, or went away (an OSError).
        :raises RuntimeError: an event out of turn, or of an unknown type.
        :raises TypeError, ValueError: an event whose content is wrong; nothing of it was sent.
        """
        if not self.session.is_writable():
            return self.send_later(event)
        self.send_now(event)
        return FINISHED

    async def send_later(self, event):
        await self.session.wait_writable()
        self.send_now(event)

    cdef int send_now(self, object event) except -1:
        cdef WebSocketSession session = self.session
        cdef object kind
        try:
            kind = event["type"]
        except (TypeError, KeyError):
            raise RuntimeError(f"expected an ASGI event (a dict with a type), got {event!r}") from None
        if is_type(kind, b"websocket.send", 14):
            return self.send_message(event)
        if kind == "websocket.accept":
            return session.accept(
                event_field(event, "subprotocol", None), field_pairs(event_field(event, "headers", None))
            )
        if kind == "websocket.close":
            return session.close(event_field(event, "code", 1000), event_field(event, "reason", None))
        if kind == "websocket.http.response.start":
            return session.begin_denial(
                event_field(event, "status", None), field_pairs(event_field(event, "headers", None))
            )
        if kind != "websocket.http.response.body":
            raise RuntimeError(f"expected an event of type websocket.*, got {kind!r}")
        if session.state != DENYING:
            raise RuntimeError("expected websocket.http.response.start before websocket.http.response.body")
        session.exchange.check_sendable(kind)
        session.exchange.continue_body(event)
        return session.end(ABNORMAL, "") if session.exchange.complete else 0

    cdef int send_message(self, object event) except -1:
        cdef object data = event_field(event, "bytes", None)
        cdef object text = event_field(event, "text", None)
        self.session.check_open("websocket.send")
        if (data is None) == (text is None):
            raise RuntimeError("expected a websocket.send with either text or bytes")
        if text is not None:
            if not isinstance(text, str):
                raise TypeError(f"expected the text of websocket.send as a str, got {type(text).__name__}")
            return self.session.send_message(text)
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise TypeError(f"expected the bytes of websocket.send in bytes, got {type(data).__name__}")
        return self.session.send_message(data)
