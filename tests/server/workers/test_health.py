"""Which workers are ended or replaced: one that stands still, is old, or is too large."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from atlas.server.configuration.settings import Settings
from atlas.server.workers.health import HealthWatch, resident_size
from atlas.server.workers.worker_process import WorkerState
from atlas.server.workers.worker_table import WorkerTable

PATIENCE = 30.0


@dataclass(eq=False)
class Worker:
    """What the watch sees of a worker process; it is this process."""

    since: float
    pid: int = field(default_factory=os.getpid)
    index: int = 0
    state: WorkerState = WorkerState.READY
    ended: Any = None
    signals: list[signal.Signals] = field(default_factory=list)

    def signal(self, number: signal.Signals) -> None:
        self.signals.append(number)
        if not self.ended.done():
            self.ended.set_result(-number)


class Pool:
    """The workers and their table."""

    def __init__(self, worker: Worker) -> None:
        self.table, self.fd = WorkerTable.create(1)
        self.workers = [worker]


@asynccontextmanager
async def watched(worker: Worker, **settings: Any) -> AsyncIterator[tuple[Pool, asyncio.Queue[str]]]:
    worker.ended = asyncio.get_running_loop().create_future()
    pool, reasons = Pool(worker), asyncio.Queue[str]()
    watch = HealthWatch(pool, Settings(**settings), lambda _, why: reasons.put_nowait(why))  # type: ignore[arg-type]
    try:
        async with asyncio.timeout(PATIENCE):
            yield pool, reasons
    finally:
        watch.close()
        pool.table.close()
        os.close(pool.fd)


def test_a_worker_that_is_too_large_is_replaced() -> None:
    async def main() -> None:
        worker = Worker(since=time.monotonic() - 100)
        async with watched(worker, workers_max_rss=1048576) as (_, reasons):
            assert (await reasons.get()).endswith(" MiB (--workers-max-rss)")

    asyncio.run(main())


def test_a_worker_that_has_just_started_is_not_too_large() -> None:
    async def main() -> None:
        worker = Worker(since=time.monotonic())
        async with watched(worker, workers_max_rss=1048576, workers_lifetime=1) as (_, reasons):
            assert (await reasons.get()).endswith("(--workers-lifetime)"), "the size is looked at ten seconds later"

    asyncio.run(main())


def test_workers_that_were_started_together_are_not_replaced_together() -> None:
    async def main() -> None:
        lifetimes = set()
        worker = Worker(since=time.monotonic())
        async with watched(worker, workers_lifetime=1000):
            pass
        pool = Pool(worker)
        watch = HealthWatch(pool, Settings(workers_lifetime=1000), lambda *_: None)  # type: ignore[arg-type]
        for _ in range(20):
            lifetimes.add(watch.new_lifetime())
        watch.close()
        assert len(lifetimes) == 20
        assert all(800 <= lifetime <= 1000 for lifetime in lifetimes if lifetime is not None)

    asyncio.run(main())


def test_a_heartbeat_that_goes_on_is_left_alone_and_one_that_stands_still_is_not() -> None:
    async def main() -> None:
        worker = Worker(since=time.monotonic())
        async with watched(worker, timeout_worker_heartbeat=0.6) as (pool, _):
            for number in range(40):
                pool.table.write(0, 0, 0, float(1 + number))
                await asyncio.sleep(0.05)
            assert not worker.signals
            assert await worker.ended == -signal.SIGABRT

    asyncio.run(main())


def test_a_worker_without_a_heartbeat_has_not_begun_or_drains() -> None:
    async def main() -> None:
        worker = Worker(since=time.monotonic())
        async with watched(worker, timeout_worker_heartbeat=0.1, workers_lifetime=2) as (_, reasons):
            await reasons.get()
            assert not worker.signals

    asyncio.run(main())


def test_a_machine_that_stood_still_ends_no_worker() -> None:
    """The workers have had no time to run since the last look, so that it says nothing of them."""

    async def main() -> None:
        worker = Worker(since=time.monotonic())
        async with watched(worker, timeout_worker_heartbeat=1.8, workers_lifetime=4) as (pool, reasons):
            pool.table.write(0, 0, 0, 1.0)
            await asyncio.sleep(0.1)
            time.sleep(3)  # the process, as a container that is frozen
            pool.table.write(0, 0, 0, 2.0)
            await reasons.get()
            assert not worker.signals

    asyncio.run(main())


def test_the_size_of_a_process_that_has_ended() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
        assert not resident_size(process.pid)
    assert (resident_size(os.getpid()) or 0) > 1024 * 1024
    assert resident_size(2**22 + 1) is None
