import asyncio
from contextvars import ContextVar

import pytest

from atlas.gateway.greenlets import await_, can_wait, in_greenlet

name: ContextVar[str] = ContextVar("name", default="nobody")


async def later(value: str) -> str:
    await asyncio.sleep(0)
    return value


def test_a_plain_function_waits_and_others_run_meanwhile() -> None:
    seen = []

    def work(tag: str) -> str:
        seen.append(await_(later(tag)))
        seen.append(await_(later(tag)))
        return tag * 2

    async def both() -> list[str]:
        return await asyncio.gather(in_greenlet(work, "a"), in_greenlet(work, tag="b"))

    assert asyncio.run(both()) == ["aa", "bb"]
    assert seen == ["a", "b", "a", "b"]


def test_it_runs_in_the_task_and_context_of_its_caller() -> None:
    def work() -> tuple[object, str]:
        name.set("inside")
        await_(later("x"))
        return asyncio.current_task(), name.get()

    async def run() -> tuple[bool, str, str]:
        name.set("outside")
        task, inside = await in_greenlet(work)
        return task is asyncio.current_task(), inside, name.get()

    assert asyncio.run(run()) == (True, "inside", "inside")


def test_exceptions_go_both_ways() -> None:
    async def fail() -> None:
        await asyncio.sleep(0)
        raise KeyError("from below")

    def work() -> None:
        with pytest.raises(KeyError, match="from below"):
            await_(fail())
        raise ValueError("from inside")

    with pytest.raises(ValueError, match="from inside"):
        asyncio.run(in_greenlet(work))


def test_a_cancellation_is_raised_where_it_waits() -> None:
    seen = []

    def work() -> None:
        try:
            await_(asyncio.Event().wait())
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise
        finally:
            seen.append(await_(later("cleaned up")))

    async def run() -> None:
        task = asyncio.ensure_future(in_greenlet(work))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    assert seen == ["cancelled", "cleaned up"]


def test_a_greenlet_inside_another() -> None:
    def outer() -> str:
        return await_(in_greenlet(inner))

    def inner() -> str:
        return await_(later("deep"))

    assert asyncio.run(in_greenlet(outer)) == "deep"


def test_there_is_a_clear_sentence_where_nobody_can_wait() -> None:
    assert not can_wait()
    with pytest.raises(RuntimeError, match="await_\\(\\) was called where it cannot wait"):
        await_(later("x"))


def test_one_can_ask_whether_it_works() -> None:
    assert asyncio.run(in_greenlet(can_wait))
