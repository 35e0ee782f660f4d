import asyncio
import gc
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import Any

import pytest
from greenlet import getcurrent

from atlas.gateway.greenlets import Greenlets, await_, await_in_place, can_wait, in_greenlet
from atlas.gateway.threads import in_thread

name: ContextVar[str] = ContextVar("name", default="default")


async def later(value: str) -> str:
    await asyncio.sleep(0)
    return value


RUNNERS = [in_greenlet, Greenlets().run, Greenlets(max_idle=0).run]
each_runner = pytest.mark.parametrize("run_it", RUNNERS, ids=["alone", "pool", "no pool"])


@each_runner
def test_a_sync_function_waits_and_others_run_meanwhile(run_it: Any) -> None:
    seen = []

    def work(tag: str) -> str:
        seen.append(await_(later(tag)))
        seen.append(await_(later(tag)))
        return tag * 2

    async def both() -> list[str]:
        return await asyncio.gather(run_it(work, "a"), run_it(work, tag="b"))

    assert asyncio.run(both()) == ["aa", "bb"]
    assert seen == ["a", "b", "a", "b"]


@each_runner
def test_it_runs_in_the_task_and_context_of_its_caller(run_it: Any) -> None:
    def work() -> tuple[object, str]:
        name.set("inside")
        await_(later("x"))
        return asyncio.current_task(), name.get()

    async def run() -> tuple[bool, str, str]:
        name.set("outside")
        task, inside = await run_it(work)
        return task is asyncio.current_task(), inside, name.get()

    assert asyncio.run(run()) == (True, "inside", "inside")


@each_runner
def test_exceptions_go_both_ways(run_it: Any) -> None:
    async def fail() -> None:
        await asyncio.sleep(0)
        raise KeyError("from below")

    def work() -> None:
        with pytest.raises(KeyError, match="from below"):
            await_(fail())
        raise ValueError("from inside")

    with pytest.raises(ValueError, match="from inside"):
        asyncio.run(run_it(work))


@each_runner
def test_a_cancellation_is_raised_where_it_waits(run_it: Any) -> None:
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
        task = asyncio.ensure_future(run_it(work))
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


def test_the_error_where_waiting_is_impossible() -> None:
    assert not can_wait()
    with pytest.raises(RuntimeError, match="await_\\(\\) was called where it cannot wait"):
        await_(later("x"))


def test_can_wait_tells_whether_it_works() -> None:
    assert asyncio.run(in_greenlet(can_wait))


def test_a_pool_uses_its_greenlets_again() -> None:
    pool = Greenlets()

    async def run() -> list[int]:
        return [await pool.run(lambda: id(getcurrent())) for _ in range(3)]

    assert len(set(asyncio.run(run()))) == 1


def test_an_idle_greenlet_keeps_nothing_alive() -> None:
    class Thing:
        pass

    pool, seen = Greenlets(), []

    def work(thing: Thing) -> Thing:
        await_(later("x"))
        seen.append(weakref.ref(thing))
        return thing

    def fail(thing: Thing) -> None:
        seen.append(weakref.ref(thing))
        raise KeyError

    async def run() -> None:
        gc.disable()
        try:
            await pool.run(work, Thing())
            with pytest.raises(KeyError):
                await pool.run(fail, Thing())
        finally:
            gc.enable()

    asyncio.run(run())
    assert [ref() for ref in seen] == [None, None]


def test_a_pool_serves_several_threads() -> None:
    pool = Greenlets()

    def work(tag: str) -> str:
        return await_(later(tag))

    with ThreadPoolExecutor(2) as executor:
        results = list(executor.map(lambda tag: asyncio.run(pool.run(work, tag)), "abcdef"))
    assert results == list("abcdef")


@pytest.mark.parametrize("run_it", [in_greenlet, in_thread])
def test_sync_functions_of_a_coroutine_in_place_can_wait(run_it: Any) -> None:
    async def mixed() -> str:
        first = await later("a")
        return first + await_(later("b")) + await later("c")

    assert asyncio.run(run_it(await_in_place, mixed())) == "abc"


@each_runner
def test_a_coroutine_in_place_gets_exceptions_and_cancellation(run_it: Any) -> None:
    seen = []

    async def fails() -> None:
        raise ValueError

    async def work() -> str:
        try:
            await fails()
        except ValueError:
            seen.append("failed")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            seen.append("cancelled")
            return "ended"
        return "never"

    async def run() -> str:
        task = asyncio.create_task(run_it(await_in_place, work()))
        await asyncio.sleep(0)
        task.cancel()
        result: str = await task
        return result

    assert asyncio.run(run()) == "ended"
    assert seen == ["failed", "cancelled"]
