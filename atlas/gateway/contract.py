"""What a gateway is: all that a connection knows of the applications above it.

A gateway is chosen once, when the application is loaded. For each request the connection makes an ``Exchange`` and
calls :meth:`Gateway.start`; from then on the exchange is the gateway's, until it says ``finish_application()``.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Protocol

from atlas._speedups.http.exchange import Exchange
from atlas.types import Event

__all__ = ["Gateway"]


class Gateway(Protocol):
    """Calls an application, once per request."""

    def start(self, exchange: Exchange) -> None:
        """Begin to work on a request; called on the loop, outside of any task. Never raises for the application."""

    def disconnect(self, exchange: Exchange) -> None:
        """The client of this exchange is gone, or is no longer listened to; its ``receive`` already says so."""

    def half_close(self, exchange: Exchange) -> None:
        """The client will send nothing more. It may be gone, or still listen; its ``receive`` already says so."""

    def send_file(self, exchange: Exchange, event: Event) -> Coroutine[Any, Any, None]:
        """Carry out ``http.response.pathsend`` or ``http.response.zerocopysend``; awaited by the application."""
