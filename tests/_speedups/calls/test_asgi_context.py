"""What stands on the current task and its context works from an application's first step on; on both loops."""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Any

import anyio
import pytest
import sniffio
import uvloop

from tests._speedups.asgi_server import ASGIServer, Serve, respond

VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="default")


@pytest.fixture(params=["asyncio", "uvloop"])
def loop(request: pytest.FixtureRequest) -> Iterator[asyncio.AbstractEventLoop]:
    loop = uvloop.new_event_loop() if request.param == "uvloop" else asyncio.new_event_loop()
    yield loop
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()


@pytest.fixture
def serve(loop: asyncio.AbstractEventLoop) -> Serve:
    """``serve(app)``"""
    return partial(ASGIServer, loop)


# ---------------------------------------------------------------------------------------- what stands on current tasks


async def asyncio_timeout() -> str:
    try:
        async with asyncio.timeout(0):
            await asyncio.Event().wait()
    except TimeoutError:
        return "timed out"
    return "not"


async def asyncio_group() -> str:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(asyncio.sleep(0, "grouped"))
    return task.result()


async def anyio_scope() -> str:
    with anyio.move_on_after(0) as scope:
        await anyio.Event().wait()
    return f"cancelled: {scope.cancelled_caught}"


async def anyio_group() -> list[str]:
    seen: list[str] = []

    async def child(name: str) -> None:
        await anyio.sleep(0)
        seen.append(name)

    async with anyio.create_task_group() as group:
        group.start_soon(child, "a")
        group.start_soon(child, "b")
    return sorted(seen)


async def anyio_thread() -> int:
    return await anyio.to_thread.run_sync(lambda: 7)


async def library() -> str:
    return sniffio.current_async_library()


@pytest.mark.parametrize(
    ("work", "result"),
    [
        (asyncio_timeout, "timed out"),
        (asyncio_group, "grouped"),
        (anyio_scope, "cancelled: True"),
        (anyio_group, ["a", "b"]),
        (anyio_thread, 7),
        (library, "asyncio"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
@pytest.mark.parametrize("step", ["first", "later"])
def test_it_works_in_the_first_step_and_later(
    serve: Serve, work: Callable[[], Awaitable[Any]], result: object, step: str
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if step == "later":
            await asyncio.sleep(0)
        await respond(send, await work())
        done.set_result(None)

    caller = serve(app)
    done = caller.loop.create_future()
    caller.request()
    caller.loop.run_until_complete(asyncio.wait_for(done, 10))
    caller.server.turn()
    assert caller.connection.sent.endswith(f"\r\n\r\n{result}".encode())
    assert caller.caller.failures == []


# ------------------------------------------------------------------------------------------------------------- contexts


def test_each_request_has_a_context_of_its_own(serve: Serve) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(VARIABLE.get())
        VARIABLE.set("first step")
        await asyncio.sleep(0)
        seen.append(VARIABLE.get())
        VARIABLE.set("second step")
        await respond(send, "x")

    seen: list[str] = []
    token = VARIABLE.set("the server")
    try:
        caller = serve(app)
    finally:
        VARIABLE.reset(token)
    for _ in range(2):
        caller.request()
        caller.server.turn(3)
    assert seen == ["the server", "first step"] * 2
    assert VARIABLE.get() == "default"


def test_contexts_of_requests_at_the_same_time_are_apart(serve: Serve) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        VARIABLE.set(scope["path"])
        await asyncio.sleep(0)
        await respond(send, VARIABLE.get())

    caller = serve(app)
    connections = [caller.server.connect() for _ in range(3)]
    for number, connection in enumerate(connections):
        caller.loop.call_soon(connection.feed, b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % number)
    caller.server.turn(4)
    assert [connection.sent[-2:] for connection in connections] == [b"/0", b"/1", b"/2"]
