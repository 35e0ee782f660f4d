"""Metrics and health of a server with worker processes, as their parent shows them.

Each worker counts in a part of a file in memory, which the parent has mapped too. The parent adds the counters of a
worker that has ended to its sums: they never go backwards.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping

from atlas._speedups.http.counters import Counters
from atlas.server.metrics.families import Family, WorkerNumbers, server_families, worker_families
from atlas.server.metrics.shared_counters import clear_counters, create_file, open_counters
from atlas.server.metrics.totals import Totals

__all__ = ["WorkerProcesses"]


class WorkerProcesses:
    """What the endpoint of the parent shows.

    :param size: the number of entries in the table of workers.
    :param states: returns the number of workers by state: ``starting``, ``ready``, ``stopping``.
    :param is_stopping: returns whether a stop has begun.
    """

    def __init__(self, size: int, states: Callable[[], Mapping[str, int]], is_stopping: Callable[[], bool]) -> None:
        self._states = states
        self._is_stopping = is_stopping
        self._ended = Totals()
        self._counters: dict[int, Counters] = {}  # by the index of the worker
        self.fd = create_file(size)
        """The descriptor of the file, which the workers inherit."""
        self.restarts = 0
        """How many workers were started in the place of another one."""

    def add_worker(self, index: int) -> None:
        """Show the counters of a new worker.

        :param index: its entry in the table of workers.
        """
        self._counters[index] = open_counters(self.fd, index)

    def remove_worker(self, index: int) -> None:
        """Keep the counters of a worker that has ended."""
        self._ended.add(self._counters.pop(index).read())
        clear_counters(self.fd, index)

    def close(self) -> None:
        """Release the memory."""
        self._counters.clear()
        os.close(self.fd)

    def is_ready(self) -> bool:
        """Return whether a worker serves, and no stop has begun."""
        return not self._is_stopping() and self._states().get("ready", 0) > 0

    def is_alive(self) -> bool:
        """Return true: the parent replaces a worker whose event loop does not run."""
        return True

    def families(self) -> Iterator[Family]:
        """Iterate over the metrics."""
        now, totals = time.monotonic(), Totals()
        totals.add_totals(self._ended)
        workers = [WorkerNumbers(str(index), each.read(), now) for index, each in sorted(self._counters.items())]
        for worker in workers:
            totals.add(worker.read)
        yield from server_families(totals, workers)
        pids = {worker.name: worker.read["pid"] for worker in workers if worker.read["pid"]}
        states = {"ready": 0, "starting": 0, "stopping": 0, **self._states()}
        yield from worker_families({"parent": os.getpid(), **pids}, states, self.restarts)
