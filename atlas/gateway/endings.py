"""What every gateway does with an application's files, and with those of its requests that end badly."""

from __future__ import annotations

import logging
from collections.abc import Coroutine
from typing import Any

from atlas._speedups.http.exchange import Exchange
from atlas.gateway.disconnects import is_disconnect
from atlas.gateway.files import send_file
from atlas.types import Event

__all__ = ["Endings"]

_logger = logging.getLogger("atlas.server")


class Endings:
    """The part of a gateway that does not depend on how it calls its application."""

    __slots__ = ()

    def send_file(self, exchange: Exchange, event: Event) -> Coroutine[Any, Any, None]:
        """An awaitable that sends the file of ``http.response.pathsend`` or ``http.response.zerocopysend``."""
        return send_file(exchange, event)

    def failed(self, exchange: Exchange, error: BaseException) -> None:
        """The application raised, and no error page could be made of it."""
        if exchange.lost and is_disconnect(error):
            _logger.debug("the client went away: %r", exchange.head)
        else:
            _logger.error("exception in the application: %r", exchange.head, exc_info=error)

    def unfinished(self, exchange: Exchange) -> None:
        """The application returned, or was cancelled from within, before its response was complete."""
        _logger.error("the application ended without a complete response: %r", exchange.head)
