"""WebSocket routes: they have their place among the routes. The protocol itself is not spoken yet."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

from atlas.types import Receive, Scope, Send
from atlas.web.routing import WEBSOCKET, Route

__all__ = ["WebSocketRoute", "refuse"]

_log = logging.getLogger("atlas.web")


class WebSocketRoute(Route):
    """A path that answers WebSocket handshakes; beside it a :class:`Route` of the same path may answer requests.

    The handshakes are refused for now, with 501 and a line in the log.

    :raises StartupError: for a pattern or controller that cannot work; it names file and line.
    """

    __slots__ = ()

    def __init__(
        self,
        path: str,
        controller: Callable[..., Any],
        *,
        name: str | None = None,
        middleware: Iterable[Any] = (),
    ) -> None:
        super().__init__(path, controller, (WEBSOCKET,), name=name, middleware=middleware)

    def _check_methods(self, methods: Iterable[str]) -> tuple[str, ...]:
        return (WEBSOCKET,)


async def refuse(scope: Scope, receive: Receive, send: Send, *, known: bool) -> None:
    """Answer a handshake with no: 501 where there is a route, 404 where there is none.

    A server without the extension "WebSocket Denial Response" makes 403 of either.
    """
    await receive()
    if known:
        _log.error("a WebSocket at %s was refused: WebSocket routes are not supported yet", ascii(scope["path"]))
    if "websocket.http.response" not in (scope.get("extensions") or {}):
        await send({"type": "websocket.close", "code": 1000})
        return
    status, text = (501, b"WebSocket is not supported yet.\n") if known else (404, b"There is nothing here.\n")
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(text))]
    await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": text})
