import asyncio
import contextvars
from collections.abc import Iterator
from typing import Any

import pytest

from atlas._speedups.calls.tasks import EagerTasks

VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="outside")


@pytest.fixture(params=["asyncio", "uvloop"])
def loop(request: pytest.FixtureRequest) -> Iterator[asyncio.AbstractEventLoop]:
    uvloop = pytest.importorskip("uvloop") if request.param == "uvloop" else asyncio
    loop = uvloop.new_event_loop()
    yield loop
    loop.close()


def in_a_callback(loop: asyncio.AbstractEventLoop, function: Any) -> Any:
    """What ``function`` returns when the loop calls it, outside of any task."""
    done = loop.create_future()

    def call() -> None:
        try:
            done.set_result(function())
        except BaseException as error:
            done.set_exception(error)

    loop.call_soon(call)
    return loop.run_until_complete(done)


def test_a_task_that_need_not_wait_is_done_when_it_is_made(loop: asyncio.AbstractEventLoop) -> None:
    async def work() -> Any:
        VARIABLE.set("inside")
        return asyncio.current_task()

    def make() -> Any:
        context = contextvars.copy_context()
        task = EagerTasks(loop, asyncio.Task).make(work(), context)
        assert task.done()
        assert task.result() is task, "it was the current one"
        assert (context[VARIABLE], VARIABLE.get()) == ("inside", "outside")

    in_a_callback(loop, make)


def test_one_that_waits_goes_on_later(loop: asyncio.AbstractEventLoop) -> None:
    steps: list[int] = []

    async def work() -> str:
        steps.append(1)
        await asyncio.sleep(0)
        steps.append(2)
        return "done"

    def make() -> Any:
        task = EagerTasks(loop, asyncio.Task).make(work(), contextvars.copy_context())
        assert (steps, task.done()) == ([1], False)
        return task

    assert loop.run_until_complete(in_a_callback(loop, make)) == "done"
    assert steps == [1, 2]


def test_the_loop_has_its_own_call_soon_afterwards(loop: asyncio.AbstractEventLoop) -> None:
    async def work() -> None:
        loop.call_soon(called.append, 1)

    called: list[int] = []
    in_a_callback(loop, lambda: EagerTasks(loop, asyncio.Task).make(work(), contextvars.copy_context()))
    assert called == [1]
    assert "call_soon" not in vars(loop) if hasattr(loop, "__dict__") else True


def test_whoever_wants_to_exit_has_failed(loop: asyncio.AbstractEventLoop) -> None:
    async def work() -> None:
        raise SystemExit(3)

    task = in_a_callback(loop, lambda: EagerTasks(loop, asyncio.Task).make(work(), contextvars.copy_context()))
    assert task.done()
    assert task.exception() is not None


def test_an_interrupt_reaches_the_loop(loop: asyncio.AbstractEventLoop) -> None:
    async def work() -> None:
        raise KeyboardInterrupt

    def make() -> Any:
        task = EagerTasks(loop, asyncio.Task).make(work(), contextvars.copy_context())
        task.exception()

    with pytest.raises(KeyboardInterrupt):
        in_a_callback(loop, make)
        loop.run_until_complete(asyncio.sleep(0))


def test_a_call_soon_of_somebody_elses_stays(loop: asyncio.AbstractEventLoop) -> None:
    if not hasattr(loop, "__dict__"):
        pytest.skip("this loop has no attributes")
    seen: list[Any] = []

    def spy(callback: Any, *args: Any, context: Any = None) -> Any:
        seen.append(callback)
        return type(loop).call_soon(loop, callback, *args, context=context)

    async def work() -> None:
        loop.call_soon(print)

    def make() -> None:
        loop.call_soon = spy  # type: ignore[method-assign]
        EagerTasks(loop, asyncio.Task).make(work(), contextvars.copy_context())
        assert loop.call_soon is spy

    in_a_callback(loop, make)
    assert print in seen
