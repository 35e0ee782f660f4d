"""A WebSocket on a fake connection, driven by the test: no socket, no time."""

from __future__ import annotations

import asyncio
from typing import Any

from tests._speedups.asgi_server import ASGIServer

HANDSHAKE = (
    b"GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
)


class Opened:
    """A server with one WebSocket.

    :param loop: the event loop, which the test runs.
    :param app: called with ``receive`` and ``send`` once the WebSocket is accepted.
    :ivar session: the arguments of the application: its scope, ``receive`` and ``send``.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, app: Any = None, fields: bytes = b"", more: bytes = b"", **settings: Any
    ) -> None:
        self.ended: list[BaseException | None] = []

        async def accepting(scope: Any, receive: Any, send: Any) -> None:
            self.scope, self.receive, self.send = scope, receive, send
            error: BaseException | None = None
            try:
                await receive()
                await send({"type": "websocket.accept"})
                await (asyncio.Event().wait() if app is None else app(receive, send))
            except BaseException as raised:
                error = raised
                raise
            finally:
                self.ended.append(error)
                del error

        self.asgi = ASGIServer(loop, accepting, **settings)
        self.server = self.asgi.server
        self.connection = self.asgi.connection
        self.feed(HANDSHAKE + fields + b"\r\n" + more)
        head, _, self.after_head = self.connection.sent.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 "), head
        self._read = len(self.connection.sent) - len(self.after_head)

    def feed(self, data: bytes, size: int | None = None) -> None:
        """Receive *data* in a callback of the loop."""
        self.server.run(self.connection.feed, data, size)

    def run(self, function: Any, *arguments: Any) -> None:
        self.server.run(function, *arguments)

    def sent(self) -> bytes:
        """What was sent since the last call, at the end of the turn of the loop too."""
        self.server.turn()
        data = self.connection.sent[self._read :]
        self._read = len(self.connection.sent)
        return data

    @property
    def calls(self) -> list[str]:
        return self.connection.calls
