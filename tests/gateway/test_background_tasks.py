import asyncio
import threading
from typing import Any

import pytest

from atlas.gateway.background_tasks import BackgroundRunner, BackgroundTask


def task(function: Any, *arguments: Any) -> BackgroundTask:
    return BackgroundTask(function, arguments, {})


def test_tasks_run_and_are_awaited() -> None:
    done: list[Any] = []

    async def later(value: int) -> None:
        await asyncio.sleep(0)
        done.append(value)

    def sync() -> None:
        done.append(threading.current_thread() is not threading.main_thread())

    async def run() -> None:
        runner = BackgroundRunner()
        await runner.drain(1)
        runner.start(task(later, 1))
        await runner.drain(1)
        runner.start(task(sync))
        runner.start(task(lambda: later(2)))
        await runner.drain(1)

    asyncio.run(run())
    assert sorted(map(str, done)) == ["1", "2", "True"]


def test_the_running_and_the_waiting_tasks_are_limited() -> None:
    running, most = 0, 0

    async def work() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1

    async def run() -> None:
        runner = BackgroundRunner(limit=2, max_waiting=3)
        for _ in range(5):
            runner.start(task(work))
        with pytest.raises(RuntimeError, match="3 background tasks are waiting already"):
            runner.start(task(work))
        await runner.drain(1)

    asyncio.run(run())
    assert (running, most) == (0, 2)


def test_a_failure_is_logged_and_the_queue_continues(caplog: pytest.LogCaptureFixture) -> None:
    done = []

    async def fail() -> None:
        raise KeyError("x")

    async def run() -> None:
        runner = BackgroundRunner(limit=1)
        runner.start(task(fail))
        runner.start(task(done.append, 1))
        await runner.drain(1)

    asyncio.run(run())
    assert done == [1]
    assert "fail failed" in caplog.text


def test_what_is_late_is_cancelled_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    ended = []

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    async def run() -> None:
        runner = BackgroundRunner(limit=1)
        runner.start(task(forever))
        runner.start(task(forever))
        await runner.drain(0.01)

    asyncio.run(run())
    assert ended == [True]
    assert "2 background tasks were not done after 0.01 s" in caplog.text


def test_without_a_loop_there_is_nothing_to_run_it() -> None:
    with pytest.raises(RuntimeError, match="no running event loop"):
        BackgroundRunner().start(task(print))
