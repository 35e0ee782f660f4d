"""What the connections report to the server: refused requests, unexpected errors, and counts that reach a limit."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from atlas._speedups.http.counters import Counters
from atlas.errors import ProtocolError
from atlas.server.logs.escaping import escape

__all__ = ["ServerEvents"]

_logger = logging.getLogger("atlas.server")
_REFUSAL_INTERVAL = 60.0  # seconds between two log lines about refusals for the same reason


def _ignore() -> None:
    """Do nothing: the default of every callback."""


class ServerEvents:
    """The callbacks of a :class:`~atlas._speedups.http.server_state.ServerState`.

    The server replaces the attributes; by default each does nothing. All of them are called on the event loop.
    """

    def __init__(self) -> None:
        self.on_first_connection: Callable[[], None] = _ignore
        """The number of open connections went from 0 to 1."""
        self.on_below_connection_limit: Callable[[], None] = _ignore
        """A connection closed while as many were open as allowed."""
        self.on_max_requests: Callable[[], None] = _ignore
        """As many requests were started as ``--limit-max-requests`` allows."""
        self.on_all_connections_closed: Callable[[], None] = _ignore
        """The last connection closed during a shutdown."""
        self.counters: Counters | None = None
        """What counts refused requests; None for nothing."""
        self._logged_at: dict[str, float] = {}

    def on_unexpected_error(self, message: str, error: BaseException) -> None:
        """Log an exception that Atlas did not expect and has recovered from.

        :param message: what failed.
        :param error: the exception; its traceback is logged.
        """
        _logger.error("%s", message, exc_info=error)

    def on_request_refused(self, error: ProtocolError, client: Any) -> None:
        """Log a refused request, at most once a minute for the same reason.

        A refusal by a limit is a warning that names the flag. Malformed requests are logged at level info, because
        every public server receives them.

        :param error: why the request was refused.
        :param client: host and port of the client; None for a Unix socket.
        """
        if self.counters is not None:
            self.counters.add_refusal(error.flag.removeprefix("--") if error.flag else "malformed")
        if not self._is_due(error.flag or str(error.status)):
            return
        address = _address(client)
        if error.flag is not None:
            _logger.warning("%s: refused with %d: %s (%s)", address, error.status, escape(error.reason), error.flag)
        else:
            _logger.info("%s: refused with %d: %s", address, error.status, escape(error.reason))

    def on_body_overdue(self, client: Any) -> None:
        """Log a request body that did not come in time, at most once a minute. The application is told of a disconnect.

        :param client: host and port of the client; None for a Unix socket.
        """
        if self._is_due("body"):
            flags = "--timeout-request-body, --min-request-body-rate"
            _logger.warning("%s: the request body does not come, or too slowly (%s)", _address(client), flags)

    def _is_due(self, key: str) -> bool:
        """Whether a line is to be logged: none was in the last minute."""
        now = time.monotonic()
        if now - self._logged_at.get(key, -_REFUSAL_INTERVAL) < _REFUSAL_INTERVAL:
            return False
        self._logged_at[key] = now
        return True


def _address(client: Any) -> str:
    return f"{client[0]}:{client[1]}" if client else "a client"
