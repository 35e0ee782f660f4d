"""WebSocket routes: the controller of one runs as long as its WebSocket."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from typing import Any
from urllib.parse import urlsplit

from atlas.web.controllers import is_async
from atlas.web.exceptions import Forbidden
from atlas.web.middleware.cors import check_origin
from atlas.web.option_checks import check_strings
from atlas.web.requests.request_head import RequestHead
from atlas.web.responses.response import Response
from atlas.web.routing.route import WEBSOCKET, Route
from atlas.web.websockets.websocket import AsyncWebSocket, WebSocket

__all__ = ["Ended", "WebSocketRoute"]

_log = logging.getLogger("atlas.web")


class Ended(Response):
    """What the chain of middleware gets in place of a response, when the controller of a WebSocket has returned.

    Where the handshake was not accepted, 403 is the answer.
    """


class WebSocketRoute(Route):
    """A route for WebSocket handshakes. A :class:`Route` with the same path may answer HTTP requests.

    The middleware runs around the whole WebSocket; a response that it returns instead of calling the next step denies
    the handshake.

    :param path: a pattern, as of a :class:`Route`.
    :param controller: a ``def`` or ``async def`` function, called with a :class:`WebSocket` or an
        :class:`AsyncWebSocket`, and the path parameters by position.
    :param name: the name for ``url_for``; by default the name of the controller.
    :param middleware: middleware around the controller.
    :param origins: other origins whose pages may connect, such as ``https://example.com``; ``*`` is any. A browser
        sends the cookies of this site with a handshake that a page of another site begins. Empty by default.
    :raises StartupError: for a pattern or controller that cannot work; the message names file and line.
    :raises ValueError: for an invalid origin.
    """

    __slots__ = ("_origins",)

    def __init__(
        self,
        path: str,
        controller: Callable[..., Any],
        *,
        name: str | None = None,
        middleware: Iterable[Any] = (),
        origins: Iterable[str] = (),
    ) -> None:
        super().__init__(path, controller, (WEBSOCKET,), name=name, middleware=middleware)
        given = set(check_strings("WebSocketRoute: origins", origins, "https://example.com"))
        self._origins = frozenset(each if each == "*" else check_origin("WebSocketRoute", each) for each in given)

    def _check_methods(self, methods: Iterable[str]) -> tuple[str, ...]:
        return (WEBSOCKET,)

    def _is_positional(self, names: Sequence[str]) -> bool:
        """The first parameter is the WebSocket; annotations of the others do not change how they are passed."""
        return True

    def call(self, overrides: Mapping[Callable[..., Any], Callable[..., Any]]) -> Callable[..., Any]:
        """Return what is called with the request of the handshake, and the values of the path by position.

        :param overrides: of no use here: the controller takes nothing else.
        """
        controller = self.controller
        if is_async(controller):

            @wraps(controller)
            async def run_async(request: RequestHead, *values: Any) -> Any:
                self._check_origin(request)
                websocket = AsyncWebSocket.of(request)
                return _result(await controller(websocket, *values), websocket.accepted)

            return run_async

        @wraps(controller)
        def run(request: RequestHead, *values: Any) -> Any:
            self._check_origin(request)
            websocket = WebSocket.of(request)
            return _result(controller(websocket, *values), websocket.accepted)

        return run

    def _check_origin(self, request: RequestHead) -> None:
        """Refuse pages of other sites (RFC 6455 10.2). A client without an origin is not a browser.

        A proxy may speak TLS with the browser, so the scheme is not compared.
        """
        origin = request.headers.get("origin")
        if origin is None or origin in self._origins or "*" in self._origins:
            return
        if urlsplit(origin).netloc.lower() == request.host.lower():
            return
        _log.warning(
            "a page of %s was refused a WebSocket at %s; see origins= of its route", ascii(origin), ascii(request.path)
        )
        raise Forbidden("the WebSocket was opened by a page of another site")


def _result(result: Any, accepted: bool) -> Any:
    """Return what the chain of middleware gets: what the controller returned, if that is to deny the handshake."""
    return Ended(b"", 403, content_type="") if accepted or result is None else result
