"""Libraries that run a loop of their own: a note says what to write, and with ``run="thread"`` they work."""

import asyncio
from collections.abc import Callable
from typing import Any

import anyio.from_thread
import pytest
from asgiref.sync import async_to_sync

from atlas import Application, Route, TestClient, in_thread
from atlas.web.errors.running_loop import note_running_loop


async def work() -> str:
    await asyncio.sleep(0)
    return "done"


def by_run() -> str:
    coroutine = work()
    try:
        return asyncio.run(coroutine)
    finally:
        coroutine.close()


def by_loop() -> str:
    loop, coroutine = asyncio.new_event_loop(), work()
    try:
        return loop.run_until_complete(coroutine)
    finally:
        coroutine.close()
        loop.close()


def by_asgiref() -> Any:
    return async_to_sync(work)()


def by_anyio() -> str:
    return anyio.from_thread.run(work)


each_way = pytest.mark.parametrize("function", [by_run, by_loop, by_asgiref, by_anyio])


@each_way
@pytest.mark.parametrize("run", ["greenlet", "inline"])
def test_on_the_thread_of_the_loop_a_note_says_what_to_write(
    function: Callable[[], str], run: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with TestClient(
        Application([Route("/", lambda request: function(), run=run)]), raise_server_exceptions=False
    ) as client:
        assert client.get("/").status_code == 500
    assert 'run="thread" on its route' in caplog.text


@each_way
def test_in_a_thread_it_works(function: Callable[[], str]) -> None:
    async def called(request: Any) -> str:
        return await in_thread(function)

    app = Application([Route("/", lambda request: function(), run="thread"), Route("/call", called)])
    with TestClient(app) as client:
        assert client.get("/").text == client.get("/call").text == "done"


def test_a_note_is_added_once_and_to_these_only() -> None:
    playwright = Exception("It looks like you are using Playwright Sync API inside the asyncio loop.")
    for _ in range(2):
        note_running_loop(playwright)
    assert len(playwright.__notes__) == 1
    other = RuntimeError("something else")
    note_running_loop(other)
    assert not hasattr(other, "__notes__")
