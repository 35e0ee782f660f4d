"""Measures how late an event loop calls its timers, which is what a callback that blocks it costs every request."""

from __future__ import annotations

import asyncio
import time

from atlas._speedups.http.counters import Counters

__all__ = ["LoopProbe"]

_INTERVAL = 0.25  # seconds
_WINDOW = 40  # intervals after which the longest delay is forgotten, one window later


class LoopProbe:
    """Sets the delay of the event loop in the counters, as long as it runs.

    :param loop: the event loop; all methods are called on it.
    :param counters: the counters.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, counters: Counters) -> None:
        self._loop = loop
        self._counters = counters
        self._longest = self._previous = 0.0  # delays, of this window and the one before
        self._left = _WINDOW
        self._schedule()

    def close(self) -> None:
        """Cancel the timer. The loop is not expected to run any more."""
        self._timer.cancel()
        self._counters.set_loop(0.0, 0.0)

    def _schedule(self) -> None:
        self._due = time.monotonic() + _INTERVAL
        self._timer = self._loop.call_later(_INTERVAL, self._measure)
        self._counters.set_loop(self._due, max(self._longest, self._previous))

    def _measure(self) -> None:
        self._longest = max(self._longest, time.monotonic() - self._due)
        self._left -= 1
        if self._left == 0:
            self._left, self._previous, self._longest = _WINDOW, self._longest, 0.0
        self._schedule()
