"""WebSocket routes. The WebSocket protocol is not implemented yet: handshakes are refused."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

from atlas.types import Receive, Scope, Send
from atlas.web.routing.route import WEBSOCKET, Route

__all__ = ["WebSocketRoute", "refuse"]

_log = logging.getLogger("atlas.web")


class WebSocketRoute(Route):
    """A route for WebSocket handshakes. A :class:`Route` with the same path may answer HTTP requests.

    Handshakes are refused with 501 for now, and logged.

    :param path: a pattern, as of a :class:`Route`.
    :param controller: the function for the WebSocket.
    :param name: the name for ``url_for``; by default the name of the controller.
    :param middleware: middleware around the controller.
    :raises StartupError: for a pattern or controller that cannot work; the message names file and line.
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
    """Refuse a WebSocket handshake.

    A server without the ASGI extension "WebSocket Denial Response" answers 403.

    :param scope: an ASGI scope of type ``websocket``.
    :param receive: ASGI's ``receive``.
    :param send: ASGI's ``send``.
    :param known: whether a route matches: 501 is the answer if one does, 404 if none does.
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
