"""The messages of a WebSocket over ASGI events, under any server (ASGI WebSocket 2.5)."""

from __future__ import annotations

from collections.abc import AsyncIterator

from atlas.errors import WebSocketDisconnected
from atlas.types import Event, Receive, Scope, Send

__all__ = ["ASGIMessages"]

_NO_CODE = 1005
_ABNORMAL = 1006


class ASGIMessages:
    """The messages of one WebSocket; an asynchronous iterator that ends with the WebSocket.

    :param scope: an ASGI scope of type ``websocket``.
    :param receive: ASGI's ``receive``.
    :param send: ASGI's ``send``.
    """

    __slots__ = ("_connected", "_end", "_receive", "_scope", "_send", "accepted", "closed")

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._connected = False
        self._end: WebSocketDisconnected | None = None
        self.accepted = False
        self.closed = False

    @property
    def subprotocols(self) -> list[str]:
        """What the client offers, in its order."""
        return list(self._scope.get("subprotocols") or ())

    async def accept(self, subprotocol: str | None = None, headers: list[tuple[bytes, bytes]] | None = None) -> None:
        """Accept the handshake. :raises RuntimeError: if it was accepted or denied before."""
        if self.accepted or self.closed:
            raise RuntimeError("expected one answer to the handshake, got a second one")
        await self._connect()
        await self.send_event({"type": "websocket.accept", "subprotocol": subprotocol, "headers": headers or []})
        self.accepted = True

    async def receive(self) -> str | bytes:
        """Return the next message. :raises WebSocketDisconnected: if the WebSocket is closed."""
        if not self.accepted and not self.closed:
            await self.accept()
        if self._end is not None:
            raise WebSocketDisconnected(self._end.code, self._end.reason)
        event = await self._receive()
        if event["type"] == "websocket.disconnect":
            self._disconnect(event)
        text: str | None = event.get("text")
        return text if text is not None else bytes(event["bytes"])

    async def send(self, message: str | bytes | bytearray | memoryview) -> None:
        """Send a message. :raises WebSocketDisconnected: if the WebSocket is closed."""
        if not self.accepted and not self.closed:
            await self.accept()
        if self._end is not None:
            raise WebSocketDisconnected(self._end.code, self._end.reason)
        if isinstance(message, str):
            await self.send_event({"type": "websocket.send", "text": message})
        elif isinstance(message, bytes | bytearray | memoryview):
            await self.send_event({"type": "websocket.send", "bytes": bytes(message)})
        else:
            raise TypeError(f"expected a message as str or bytes, got {type(message).__name__}")

    async def close(self, code: int = 1000, reason: str | None = None) -> None:
        """Close the WebSocket, or deny the handshake. Nothing happens if it is closed."""
        if self.closed:
            return
        await self._connect()
        self.closed = True
        self._end = self._end or WebSocketDisconnected(code if self.accepted else _ABNORMAL, reason or "")
        event: Event = {"type": "websocket.close", "code": code}
        if reason:
            event["reason"] = reason
        await self.send_event(event)

    async def __aiter__(self) -> AsyncIterator[str | bytes]:
        while True:
            try:
                message = await self.receive()
            except WebSocketDisconnected:
                return
            yield message

    def deny(self) -> Send | None:
        """Return ASGI's ``send``, if the server has the extension "WebSocket Denial Response"; else None."""
        return self.send_event if "websocket.http.response" in (self._scope.get("extensions") or {}) else None

    async def send_event(self, event: Event) -> None:
        """Call ASGI's ``send``. :raises WebSocketDisconnected: if the server reports that the client has left."""
        try:
            await self._send(event)
        except OSError as error:
            self.closed = True
            self._end = self._end or WebSocketDisconnected(_ABNORMAL)
            raise WebSocketDisconnected(self._end.code, self._end.reason) from error

    async def _connect(self) -> None:
        """Receive the first event, which servers send before they take an answer."""
        if not self._connected:
            self._connected = True
            event = await self._receive()
            if event["type"] == "websocket.disconnect":
                self._disconnect(event)

    def _disconnect(self, event: Event) -> None:
        self.closed = True
        self._end = WebSocketDisconnected(event.get("code") or _NO_CODE, event.get("reason") or "")
        raise WebSocketDisconnected(self._end.code, self._end.reason)
