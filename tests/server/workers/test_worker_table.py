"""The table of worker processes in shared memory: who has fewer connections, and whose event loop runs."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from atlas.server.workers.worker_table import Heartbeat, WorkerEntry, WorkerTable


@pytest.fixture
def table() -> Iterator[WorkerTable]:
    table, fd = WorkerTable.create(3)
    table.use(2)
    yield table
    table.close()
    os.close(fd)


def test_another_process_sees_an_entry() -> None:
    table, fd = WorkerTable.create(3)
    code = f"from atlas.server.workers.worker_table import *; WorkerEntry(WorkerTable({fd}, 3), 1).accepted(7)"
    subprocess.run([sys.executable, "-c", code], pass_fds=[fd], check=True)
    open_connections, accepted, heartbeat = table.read(1)
    assert (open_connections, accepted) == (7, 1)
    assert 0 < heartbeat <= time.monotonic()
    assert table.read(0) == (0, 0, 0.0)
    table.close()
    os.close(fd)


def test_the_worker_with_fewer_connections_accepts(table: WorkerTable) -> None:
    own, other = WorkerEntry(table, 0), WorkerEntry(table, 1)
    assert not own.has_more_than_another(100), "there is no other worker"
    other.beat(5)
    assert not own.has_more_than_another(5)
    assert own.has_more_than_another(6)
    other.clear()
    assert not own.has_more_than_another(6), "the other worker has stopped"


def test_the_worker_that_has_accepted_fewer_accepts_where_equally_many_are_open(table: WorkerTable) -> None:
    own, other = WorkerEntry(table, 0), WorkerEntry(table, 1)
    other.beat(0)
    for _ in range(4):
        own.accepted(1)
    assert not own.has_more_than_another(0)
    own.accepted(1)
    assert own.has_more_than_another(0)
    other.accepted(0)
    assert not own.has_more_than_another(0)


async def _beats(table: WorkerTable) -> None:
    heartbeat = Heartbeat(WorkerEntry(table, 2), lambda: 3)
    assert table.read(2)[0] == 3
    first = table.read(2)[2]
    while table.read(2)[2] == first:
        await asyncio.sleep(0.01)
    heartbeat.close()
    heartbeat.close()
    assert table.read(2) == (0, 0, 0.0)


def test_a_heartbeat_is_written_while_the_event_loop_runs(table: WorkerTable) -> None:
    asyncio.run(asyncio.wait_for(_beats(table), 10))
