"""Watches the workers: one whose event loop stands still is ended; one that is old or too large is replaced."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

from atlas.server.configuration.settings import Settings
from atlas.server.workers.worker_pool import WorkerPool
from atlas.server.workers.worker_process import WorkerProcess, WorkerState

__all__ = ["HealthWatch", "resident_size"]

_logger = logging.getLogger("atlas.server")

_INTERVAL = 0.5  # seconds between two looks at the workers
_ABORT_TIMEOUT = 2.0  # seconds from SIGABRT, which prints the stacks, to SIGKILL
_SETTLED = 10.0  # seconds that a worker serves before its size counts, lest a limit that is too low loops
_SHORTEST_LIFETIME = 0.8  # of --workers-lifetime: workers that were started together are not replaced together


class _Observed:
    """What is known of one worker."""

    def __init__(self, lifetime: float | None) -> None:
        self.heartbeat = 0.0
        self.still = 0.0
        """Seconds in which no heartbeat came while the supervisor ran."""
        self.lifetime = lifetime


class HealthWatch:
    """Looks at the workers from time to time.

    :param pool: the workers.
    :param settings: ``timeout_worker_heartbeat``, ``workers_lifetime`` and ``workers_max_rss`` are used.
    :param replace: called with a worker that is to be replaced, and the reason.
    """

    def __init__(self, pool: WorkerPool, settings: Settings, replace: Callable[[WorkerProcess, str], None]) -> None:
        self._pool = pool
        self._settings = settings
        self._replace = replace
        self._observed: dict[WorkerProcess, _Observed] = {}
        self._aborting: set[asyncio.Task[None]] = set()
        self._task = asyncio.ensure_future(self._watch())

    def close(self) -> None:
        self._task.cancel()
        for task in self._aborting:
            task.cancel()

    async def _watch(self) -> None:
        before = time.monotonic()
        while True:
            await asyncio.sleep(_INTERVAL)
            now = time.monotonic()
            # A machine or a container that stood still has kept the workers from running, too.
            elapsed, before = min(now - before, 2 * _INTERVAL), now
            serving = [worker for worker in self._pool.workers if worker.state is WorkerState.READY]
            self._observed = {
                worker: self._observed.get(worker) or _Observed(self.new_lifetime()) for worker in serving
            }
            for worker, observed in self._observed.items():
                self._check_heartbeat(worker, observed, elapsed)
                self._check_limits(worker, observed, now)

    def new_lifetime(self) -> float | None:
        """Return the seconds that one worker serves: not all workers have the same, to be replaced one by one."""
        longest = self._settings.workers_lifetime
        return longest and random.uniform(_SHORTEST_LIFETIME * longest, longest)

    def _check_heartbeat(self, worker: WorkerProcess, observed: _Observed, elapsed: float) -> None:
        heartbeat = self._pool.table.read(worker.index)[2]
        observed.still = observed.still + elapsed if heartbeat == observed.heartbeat else 0.0
        observed.heartbeat = heartbeat
        if heartbeat and observed.still > self._settings.timeout_worker_heartbeat:
            self._pool.table.clear(worker.index)
            task = asyncio.ensure_future(self._abort(worker))
            self._aborting.add(task)
            task.add_done_callback(self._aborting.discard)

    def _check_limits(self, worker: WorkerProcess, observed: _Observed, now: float) -> None:
        limit = self._settings.workers_max_rss
        served = now - worker.since
        if observed.lifetime is not None and served > observed.lifetime:
            self._replace(worker, f"has served for {served:.0f} seconds (--workers-lifetime)")
        elif limit is not None and served > _SETTLED and (size := resident_size(worker.pid) or 0) > limit:
            self._replace(worker, f"has a resident size of {size / 1048576:.0f} MiB (--workers-max-rss)")

    async def _abort(self, worker: WorkerProcess) -> None:
        _logger.error(
            "the event loop of worker %d has not run for %g seconds (--timeout-worker-heartbeat): the worker is ended",
            worker.pid,
            self._settings.timeout_worker_heartbeat,
        )
        worker.signal(signal.SIGABRT)
        await asyncio.wait({worker.ended}, timeout=_ABORT_TIMEOUT)
        worker.signal(signal.SIGKILL)


def resident_size(pid: int) -> int | None:
    """Return the bytes of a process that are in memory; None if the system does not tell (it has no ``/proc``)."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return None
