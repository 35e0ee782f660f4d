"""The common base of the gateways: sends files, and logs requests that fail."""

from __future__ import annotations

import logging
import os
from collections.abc import Coroutine
from typing import Any

from atlas._speedups.http.exchange import Exchange
from atlas._speedups.websocket.session import WebSocketSession
from atlas.gateway.disconnects import is_disconnect
from atlas.gateway.files import send_file
from atlas.gateway.forked_children import end_child
from atlas.gateway.shared_exceptions import drop_frames
from atlas.types import Event

__all__ = ["RequestFailures"]

_logger = logging.getLogger("atlas.server")


class RequestFailures:
    """The part of a gateway that does not depend on the interface of the application."""

    has_logged_upgrade = False

    def __init__(self, *_arguments: object) -> None:  # those of __new__
        self._process = os.getpid()

    def upgrade_ignored(self, value: bytes) -> None:
        """Log, once, that a client asks for a WebSocket. The request is answered as any other (RFC 9110, section 7.8).

        :param value: the value of the field ``Upgrade``.
        """
        if value.lower() == b"websocket" and not self.has_logged_upgrade:
            self.has_logged_upgrade = True
            _logger.warning("a client asks for a WebSocket, which --ws none has switched off, or by a wrong request")

    def send_file(self, exchange: Exchange, event: Event) -> Coroutine[Any, Any, None]:
        """Return a coroutine that sends the file of ``http.response.pathsend`` or ``http.response.zerocopysend``."""
        return send_file(exchange, event)

    def failed(self, exchange: Exchange, error: BaseException) -> None:
        """Log an unhandled exception of the application; at level debug if the client has disconnected.

        This is known by the exception, or because the client left within its request and the application was told so:
        frameworks raise exceptions of their own then, such as Starlette's ``ClientDisconnect``. A SystemExit in a
        process that the application has forked ends that process.
        """
        if isinstance(error, SystemExit) and self._process != os.getpid():
            end_child(error)
        if exchange.abandoned or (exchange.lost and is_disconnect(error)):
            _logger.debug("the client disconnected: %r: %r", exchange.head, error)
        else:
            _logger.error("exception in the application: %r", exchange.head, exc_info=error)
        drop_frames(error)

    def session_failed(self, session: WebSocketSession, error: BaseException) -> None:
        """Log an unhandled exception of the application in a WebSocket; at level debug if it tells of a disconnect.

        Frameworks have exceptions of their own for that, such as ``WebSocketDisconnect`` of Starlette and Litestar.
        """
        if session.lost and (is_disconnect(error) or "Disconnect" in type(error).__name__):
            _logger.debug("the client disconnected: %r: %r", session.exchange.head, error)
        else:
            _logger.error("exception in the application: %r", session.exchange.head, exc_info=error)
        drop_frames(error)

    def session_unanswered(self, session: WebSocketSession) -> None:
        """Log that the application returned before it accepted or denied a WebSocket."""
        _logger.error("the application ended without an answer to the handshake: %r", session.exchange.head)

    def unfinished(self, exchange: Exchange) -> None:
        """Log that the application returned, or was cancelled by itself, before its response was complete."""
        _logger.error("the application ended without a complete response: %r", exchange.head)
