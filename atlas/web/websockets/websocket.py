"""WebSockets: :class:`WebSocket` for ``def`` controllers, :class:`AsyncWebSocket` for ``async def`` controllers.

Both have the attributes of a request, that of the handshake, and the same methods. Those that may wait are awaited in
:class:`AsyncWebSocket` and return directly in :class:`WebSocket`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Iterable, Iterator, Mapping
from typing import Any, Protocol, Self, TypeVar, overload

from atlas.errors import WebSocketDisconnected
from atlas.gateway.greenlets import await_
from atlas.types import Send
from atlas.web.headers import encode_field
from atlas.web.json_encoding import encode_json
from atlas.web.requests.request_head import RequestHead
from atlas.web.requests.validation import parse_json
from atlas.web.scope_keys import MESSAGES

__all__ = ["AsyncWebSocket", "Fields", "Messages", "WebSocket"]

T = TypeVar("T")
Fields = Mapping[str, str] | Iterable[tuple[str, str]]


class Messages(Protocol):
    """What carries the messages: that of the Atlas server, or ASGI events.

    ``receive`` and ``send`` accept the handshake, if that was not done before.
    """

    @property
    def subprotocols(self) -> list[str]: ...
    @property
    def accepted(self) -> bool: ...
    @property
    def closed(self) -> bool: ...
    def accept(
        self, subprotocol: str | None = None, headers: list[tuple[bytes, bytes]] | None = None
    ) -> Awaitable[None]: ...
    def receive(self) -> Awaitable[str | bytes]: ...
    def send(self, message: str | bytes | bytearray | memoryview) -> Awaitable[None]: ...
    def close(self, code: int = 1000, reason: str | None = None) -> Awaitable[None]: ...
    def __aiter__(self) -> AsyncIterator[str | bytes]: ...
    def deny(self) -> Send | None:
        """Return what takes the events of a response that denies the handshake; None if the server takes none."""


class _Handshake(RequestHead):
    """What both have in common: the request of the handshake, and how far the WebSocket is."""

    __slots__ = ("_messages",)

    _messages: Messages

    @classmethod
    def of(cls, request: RequestHead) -> Self:
        """Return the WebSocket of a handshake.

        :param request: the request, whose notes have the messages.
        """
        websocket = request.as_type(cls)
        websocket._messages = request._notes[MESSAGES]
        return websocket

    @property
    def scheme(self) -> str:
        """``ws`` or ``wss``."""
        return "wss" if super().scheme in ("https", "wss") else "ws"

    @property
    def subprotocols(self) -> list[str]:
        """The subprotocols that the client offers, in its order."""
        return self._messages.subprotocols

    @property
    def accepted(self) -> bool:
        """Whether the handshake was accepted. It stays true when the WebSocket is closed."""
        return self._messages.accepted

    @property
    def closed(self) -> bool:
        """Whether the WebSocket was closed, by either side, or denied. Messages may still wait to be received."""
        return self._messages.closed


class AsyncWebSocket(_Handshake):
    """A WebSocket in an ``async def`` controller: methods that may wait are awaited.

    ``async for message in websocket`` iterates over the messages until the client closes.
    """

    __slots__ = ()

    async def accept(self, subprotocol: str | None = None, headers: Fields = ()) -> None:
        """Accept the handshake. The first :meth:`receive` or :meth:`send` does so too.

        :param subprotocol: one of those that the client offers; None, the default, for none.
        :param headers: further header fields of the answer, such as ``set-cookie``. Default none.
        :raises RuntimeError: if it was accepted or denied before.
        :raises WebSocketDisconnected: if the client has left.
        """
        await self._messages.accept(subprotocol, _encoded(headers))

    def receive(self) -> Awaitable[str | bytes]:
        """Wait for the next message.

        :returns: text as str, binary data as bytes.
        :raises WebSocketDisconnected: if the WebSocket is closed, and all messages were received.
        """
        return self._messages.receive()

    @overload
    async def receive_json(self) -> Any: ...
    @overload
    async def receive_json(self, type: type[T]) -> T: ...
    async def receive_json(self, type: Any = None) -> Any:  # noqa: A002  # as of Request.json
        """Wait for the next message, and read it as JSON.

        :param type: a dataclass, a Struct, ``list[int]`` ... to validate and convert to; None for plain JSON values.
        :returns: the value.
        :raises BadRequest: if the message is not JSON.
        :raises UnprocessableContent: if the value does not have the type.
        :raises WebSocketDisconnected: if the WebSocket is closed.
        """
        return _parsed(await self._messages.receive(), type)

    def send(self, message: str | bytes | bytearray | memoryview) -> Awaitable[None]:
        """Send a message, and wait while the client reads more slowly than messages are sent.

        :param message: text as str, binary data as bytes.
        :raises WebSocketDisconnected: if the WebSocket is closed.
        """
        return self._messages.send(message)

    async def send_json(self, value: Any) -> None:
        """Send a value as JSON, in a text message.

        :param value: what a controller may return as JSON.
        :raises TypeError: for a value that has no JSON form.
        :raises WebSocketDisconnected: if the WebSocket is closed.
        """
        await self._messages.send(encode_json(value).decode())

    async def close(self, code: int = 1000, reason: str | None = None) -> None:
        """Close the WebSocket; before it was accepted, the handshake is denied with 403.

        Nothing happens if the client has closed it.

        :param code: 1000 to 1003, 1007 to 1014, or one of the application, 3000 to 4999. Default 1000.
        :param reason: at most 123 bytes in UTF-8; None, the default, for none.
        """
        await self._messages.close(code, reason)

    def __aiter__(self) -> AsyncIterator[str | bytes]:
        return self._messages.__aiter__()


class WebSocket(_Handshake):
    """A WebSocket in a ``def`` controller: the event loop serves others while its methods wait.

    ``for message in websocket`` iterates over the messages until the client closes.
    """

    __slots__ = ()

    def accept(self, subprotocol: str | None = None, headers: Fields = ()) -> None:
        """Accept the handshake; see :meth:`AsyncWebSocket.accept`."""
        await_(self._messages.accept(subprotocol, _encoded(headers)))

    def receive(self) -> str | bytes:
        """Wait for the next message; see :meth:`AsyncWebSocket.receive`."""
        return await_(self._messages.receive())

    @overload
    def receive_json(self) -> Any: ...
    @overload
    def receive_json(self, type: type[T]) -> T: ...
    def receive_json(self, type: Any = None) -> Any:  # noqa: A002  # as of Request.json
        """Wait for the next message, and read it as JSON; see :meth:`AsyncWebSocket.receive_json`."""
        return _parsed(await_(self._messages.receive()), type)

    def send(self, message: str | bytes | bytearray | memoryview) -> None:
        """Send a message; see :meth:`AsyncWebSocket.send`."""
        await_(self._messages.send(message))

    def send_json(self, value: Any) -> None:
        """Send a value as JSON; see :meth:`AsyncWebSocket.send_json`."""
        await_(self._messages.send(encode_json(value).decode()))

    def close(self, code: int = 1000, reason: str | None = None) -> None:
        """Close the WebSocket; see :meth:`AsyncWebSocket.close`."""
        await_(self._messages.close(code, reason))

    def __iter__(self) -> Iterator[str | bytes]:
        while True:
            try:
                message = self.receive()
            except WebSocketDisconnected:
                return
            yield message


def _encoded(fields: Fields) -> list[tuple[bytes, bytes]]:
    pairs = fields.items() if isinstance(fields, Mapping) else fields
    return [encode_field(name, value) for name, value in pairs]


def _parsed(message: str | bytes, kind: Any) -> Any:
    return parse_json(message.encode() if isinstance(message, str) else message, kind)
