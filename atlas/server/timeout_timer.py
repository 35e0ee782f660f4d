"""One timer per event loop for the time-outs of all connections, instead of one timer per connection."""

from __future__ import annotations

import asyncio
from typing import Protocol

from atlas.server.configuration.settings import Settings

__all__ = ["TimeoutTimer", "check_interval"]


class Connections(Protocol):
    """What is checked: a :class:`atlas._speedups.buffers.connection_set.ConnectionSet`."""

    @property
    def open(self) -> int: ...

    def check_timeouts(self) -> None: ...


def check_interval(settings: Settings) -> float:
    """Return the seconds between two checks: 1, or a quarter of the shortest time-out if that is less."""
    timeouts = (
        settings.timeout_request_head,
        settings.timeout_request_body,
        settings.timeout_write,
        settings.timeout_keep_alive or 1.0,
        settings.ws_ping_interval or 1.0,
        settings.ws_ping_timeout or 1.0,
    )
    return max(0.02, min(1.0, min(timeouts) / 4))


class TimeoutTimer:
    """Checks the time-outs of all connections at an interval. While no connection is open, no timer is scheduled.

    :param loop: the event loop of the connections; all methods are called on it.
    :param settings: the time-outs, from which the interval follows (:func:`check_interval`).
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, settings: Settings) -> None:
        self._loop = loop
        self._interval = check_interval(settings)
        self._timer: asyncio.TimerHandle | None = None
        self._connections: Connections | None = None

    def watch(self, connections: Connections) -> None:
        """Set the connections to check."""
        self._connections = connections

    def start(self) -> None:
        """Schedule the next check, unless one is scheduled. Called when a connection opens."""
        if self._timer is None:
            self._timer = self._loop.call_later(self._interval, self._check)

    def close(self) -> None:
        """Cancel the timer."""
        self._connections = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _check(self) -> None:
        self._timer = None
        if self._connections is None or not self._connections.open:
            return
        self.start()
        self._connections.check_timeouts()
