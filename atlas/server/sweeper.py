"""One timer for all time-outs of all connections: who is overdue is found by looking, not by being woken."""

from __future__ import annotations

import asyncio
from typing import Protocol

from atlas.server.settings import Settings

__all__ = ["Sweeper", "interval"]


class Swept(Protocol):
    """What is swept: a :class:`atlas._speedups.buffers.connection_set.ConnectionSet`."""

    @property
    def open(self) -> int: ...

    def check_timeouts(self) -> None: ...


def interval(settings: Settings) -> float:
    """Seconds between two looks: a second, or less where a time-out is shorter than four of them."""
    timeouts = (
        settings.timeout_request_head,
        settings.timeout_request_body,
        settings.timeout_write,
        settings.timeout_keep_alive or 1.0,
    )
    return max(0.02, min(1.0, min(timeouts) / 4))


class Sweeper:
    """Sweeps a worker's connections as long as it has any; while it has none there is no timer either."""

    def __init__(self, loop: asyncio.AbstractEventLoop, settings: Settings) -> None:
        self._loop = loop
        self._interval = interval(settings)
        self._timer: asyncio.TimerHandle | None = None
        self._worker: Swept | None = None

    def watch(self, worker: Swept) -> None:
        """The worker to sweep."""
        self._worker = worker

    def wake(self) -> None:
        """There is a connection."""
        if self._timer is None:
            self._timer = self._loop.call_later(self._interval, self._sweep)

    def close(self) -> None:
        """Never again."""
        self._worker = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _sweep(self) -> None:
        self._timer = None
        if self._worker is None or not self._worker.open:
            return
        self.wake()
        self._worker.check_timeouts()
