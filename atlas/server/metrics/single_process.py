"""Metrics and health of a server that is one process."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator

from atlas._speedups.http.counters import Counters
from atlas.server.metrics.families import Family, WorkerNumbers, server_families, worker_families
from atlas.server.metrics.totals import Totals

__all__ = ["SingleProcess"]


class SingleProcess:
    """What the endpoint of a single process shows.

    :param counters: what the server counts.
    :param is_ready: whether the application is served, and no stop has begun.
    :param patience: seconds that the event loop may be late while the application is served.
    """

    def __init__(self, counters: Counters, is_ready: Callable[[], bool], patience: float) -> None:
        self._counters = counters
        self._patience = patience
        self.is_ready = is_ready

    def is_alive(self) -> bool:
        """Return whether the event loop runs. A startup that takes long is no reason to end the process."""
        return not self.is_ready() or self._numbers().lag < self._patience

    def families(self) -> Iterator[Family]:
        """Iterate over the metrics."""
        numbers, totals = self._numbers(), Totals()
        totals.add(numbers.read)
        yield from server_families(totals, [numbers])
        states = {"ready": int(self.is_ready()), "starting": 0, "stopping": 0}
        yield from worker_families({numbers.name: os.getpid()}, states, 0)

    def _numbers(self) -> WorkerNumbers:
        return WorkerNumbers("0", self._counters.read(), time.monotonic())
