"""The event loop of a server: which one it is, and how it ends in spite of tasks and threads that do not."""

import asyncio
import logging
import sys
import threading

import pytest
import uvloop

from atlas.errors import StartupError
from atlas.server.event_loop import loop_factory, run_main


@pytest.mark.parametrize(("name", "is_uvloop"), [("auto", True), ("uvloop", True), ("asyncio", False)])
def test_the_loop_that_was_asked_for(name: str, is_uvloop: bool) -> None:
    loop = loop_factory(name)()
    loop.close()
    assert isinstance(loop, uvloop.Loop) is is_uvloop


def test_without_uvloop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvloop", None)
    assert loop_factory("auto") is asyncio.new_event_loop
    with pytest.raises(StartupError, match="^--loop uvloop: uvloop is not installed"):
        loop_factory("uvloop")


@pytest.mark.parametrize("name", ["asyncio", "uvloop"])
def test_the_result_and_the_error_come_through(name: str) -> None:
    async def answer() -> int:
        return 42

    async def fail() -> None:
        raise KeyError("why")

    assert run_main(answer(), loop_factory(name)) == 42
    with pytest.raises(KeyError, match="why"):
        run_main(fail(), loop_factory(name))


@pytest.mark.parametrize("name", ["asyncio", "uvloop"])
def test_a_task_left_behind_is_cancelled(name: str) -> None:
    ended = []

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    async def main() -> asyncio.Task[None]:
        task = asyncio.create_task(forever())
        await asyncio.sleep(0)
        return task

    assert run_main(main(), loop_factory(name)).cancelled()
    assert ended == [True]


def test_a_thread_that_never_returns_is_not_waited_for() -> None:
    release = threading.Event()

    async def main() -> None:
        running = asyncio.Event()
        loop = asyncio.get_running_loop()

        def block() -> None:
            loop.call_soon_threadsafe(running.set)
            release.wait()

        loop.run_in_executor(None, block)
        await running.wait()

    run_main(main(), loop_factory("asyncio"))
    assert not release.is_set()
    release.set()


def test_a_task_that_ignores_its_cancellation_is_logged(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("atlas.server.event_loop._CANCEL_TIMEOUT", 0.05)
    tasks = []  # kept, for asyncio complains about a pending task that is lost

    async def stubborn() -> None:
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                continue

    async def main() -> None:
        tasks.append(asyncio.create_task(stubborn()))
        await asyncio.sleep(0)

    with caplog.at_level(logging.WARNING, "atlas.server"):
        run_main(main(), loop_factory("asyncio"))
    assert "1 tasks of the application ignored their cancellation" in caplog.text
    assert not tasks[0].done()
