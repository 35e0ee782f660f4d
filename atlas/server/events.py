"""What the compiled half tells the server: refusals, and when there is too much or enough."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from atlas.errors import ProtocolError
from atlas.server.logs import escaped

__all__ = ["Events"]

_logger = logging.getLogger("atlas.server")
_SILENCE = 60.0  # seconds that the next refusal for the same reason goes unmentioned


def nothing() -> None:
    """Nobody wants to know."""


class Events:
    """Receives what a worker has to tell; the server puts its own functions in place of those that do nothing."""

    def __init__(self) -> None:
        self.on_first_connection: Callable[[], None] = nothing
        """The first connection is open."""
        self.on_connection_limit: Callable[[], None] = nothing
        """As many connections are open as may be."""
        self.on_below_connection_limit: Callable[[], None] = nothing
        """One less is."""
        self.on_max_requests: Callable[[], None] = nothing
        """As many requests were begun as ``--limit-max-requests`` allows."""
        self.on_all_connections_closed: Callable[[], None] = nothing
        """During a stop: the last connection is closed."""
        self._told: dict[str, float] = {}

    def on_unexpected_error(self, text: str, error: BaseException) -> None:
        """Something went wrong that should not have, and was survived."""
        _logger.error("%s", text, exc_info=error)

    def on_request_refused(self, error: ProtocolError, client: Any) -> None:
        """A request was turned away: say so, at most once a minute for the same reason.

        A limit is worth a warning that names its flag; nonsense from the wire is not, for the internet is full of it.
        """
        key = error.flag or str(error.status)
        now = time.monotonic()
        if now - self._told.get(key, -_SILENCE) < _SILENCE:
            return
        self._told[key] = now
        who = f"{client[0]}:{client[1]}" if client else "a client"
        if error.flag is not None:
            _logger.warning("%s: refused with %d: %s (%s)", who, error.status, escaped(error.reason), error.flag)
        else:
            _logger.info("%s: refused with %d: %s", who, error.status, escaped(error.reason))
