"""The gateway to ASGI 3 applications: what becomes of their exceptions, their files, and their tasks at the end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from contextvars import copy_context
from typing import Any

from atlas._speedups.asgi_call import ASGICall
from atlas._speedups.exchange import Exchange
from atlas.gateway.disconnects import is_disconnect
from atlas.gateway.files import send_file
from atlas.types import ASGIApp, Event

__all__ = ["ASGIGateway"]

_logger = logging.getLogger("atlas.server")


class ASGIGateway(ASGICall):
    """Calls ``app(scope, receive, send)`` for each request, in one fresh context and one real task.

    :param app: an ASGI 3 application.
    :param loop: the event loop; must be the running one whenever a request starts.

    Each request sees a copy of the context that the gateway was made in.
    """

    def __new__(cls, app: ASGIApp, loop: asyncio.AbstractEventLoop) -> ASGIGateway:
        return super().__new__(cls, app, loop, copy_context(), asyncio.Task)

    def disconnect(self, exchange: Exchange) -> None:
        """Nothing to do: ``receive`` and ``send`` tell the application, as ASGI has it."""

    half_close = disconnect

    def send_file(self, exchange: Exchange, event: Event) -> Coroutine[Any, Any, None]:
        """An awaitable that sends the file of ``http.response.pathsend`` or ``http.response.zerocopysend``."""
        return send_file(exchange, event)

    def failed(self, exchange: Exchange, error: BaseException) -> None:
        """The application raised."""
        if exchange.lost and is_disconnect(error):
            _logger.debug("the client went away: %r", exchange.head)
        else:
            _logger.error("exception in the application: %r", exchange.head, exc_info=error)

    def unfinished(self, exchange: Exchange) -> None:
        """The application returned, or was cancelled from within, before its response was complete."""
        _logger.error("the application ended without a complete response: %r", exchange.head)
