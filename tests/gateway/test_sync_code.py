"""Sync code in greenlets: abandoned greenlets, pools, exceptions, and greenlets inside greenlets."""

import asyncio
import gc
import sys
import threading
import weakref
from collections.abc import Callable
from contextvars import ContextVar, copy_context
from typing import Any

import pytest
from greenlet import GreenletExit, getcurrent

from atlas.gateway.greenlets import Greenlets, await_, in_greenlet

name: ContextVar[str] = ContextVar("name", default="default")


async def turn() -> None:
    await asyncio.sleep(0)


class Waiters:
    """Runs functions that wait until they are let go, and knows the greenlets that they ran in."""

    def __init__(self, pool: Greenlets) -> None:
        self.pool = pool
        self.gate = asyncio.Event()
        self.greenlets: list[weakref.ref[Any]] = []

    def wait(self) -> None:
        self.greenlets.append(weakref.ref(getcurrent()))
        await_(self.gate.wait())

    async def many(self, count: int) -> None:
        waiting = [asyncio.ensure_future(self.pool.run(self.wait)) for _ in range(count)]
        await turn()
        assert len({id(ref()) for ref in self.greenlets}) == count
        self.gate.set()
        await asyncio.gather(*waiting)
        del waiting

    @property
    def alive(self) -> int:
        return sum(1 for ref in self.greenlets if ref() is not None)


# --------------------------------------------------------------------------------------------------------- the pool


@pytest.mark.parametrize(("count", "max_idle"), [(200, 64), (200, 0), (10, 64)])
def test_a_pool_keeps_a_limited_number(count: int, max_idle: int) -> None:
    async def go() -> int:
        waiters = Waiters(Greenlets(max_idle))
        await waiters.many(count)
        await turn()
        return waiters.alive

    assert asyncio.run(go()) == min(count, max_idle)


def test_idle_greenlets_end_with_their_pool() -> None:
    async def go() -> int:
        waiters = Waiters(Greenlets())
        await waiters.many(20)
        assert waiters.alive == 20
        del waiters.pool
        return waiters.alive

    assert asyncio.run(go()) == 0


def test_an_abandoned_greenlet_is_not_used_again() -> None:
    """Its coroutine is closed, as when a loop ends: the function is ended where it waits, and its greenlet with it."""
    pool, seen = Greenlets(), []

    def abandoned() -> None:
        seen.append(weakref.ref(getcurrent()))
        try:
            await_(turn())
            raise AssertionError("it went on")
        except GeneratorExit:
            seen.append("ended")
            raise

    async def go() -> None:
        call = pool.run(abandoned)
        call.send(None)
        call.close()
        for _ in range(3):
            assert await pool.run(lambda: 1) == 1

    asyncio.run(go())
    assert seen[1:] == ["ended"]


def test_an_abandoned_greenlet_that_waits_again_is_ended() -> None:
    pool, seen = Greenlets(), []

    def stubborn() -> None:
        seen.append(id(getcurrent()))
        try:
            await_(turn())
        finally:
            try:
                await_(turn())  # the caller does not await
            finally:
                seen.append("ended")

    async def go() -> int:
        call = pool.run(stubborn)
        call.send(None)
        kept = getcurrent  # a new greenlet must not get the number of the old one while that is looked at
        with pytest.raises(RuntimeError, match="coroutine ignored GeneratorExit"):
            call.close()
        del call
        gc.collect()
        return await pool.run(lambda: id(kept()))

    asyncio.run(go())
    assert "ended" in seen


@pytest.mark.parametrize("error", [KeyError("mine"), SystemExit(1), KeyboardInterrupt(), asyncio.CancelledError()])
def test_one_whose_function_raised_is_clean(error: BaseException) -> None:
    pool = Greenlets()

    def fail() -> None:
        await_(turn())
        raise error

    async def go() -> None:
        first = await pool.run(lambda: weakref.ref(getcurrent()))
        try:
            await pool.run(fail)
        except BaseException as caught:
            assert caught is error  # noqa: PT017
        assert first() is await pool.run(getcurrent)

    asyncio.run(go())


def test_a_call_leaves_no_state_for_the_next() -> None:
    """Its context, and the exception that it was handling."""
    pool = Greenlets()

    def leave() -> None:
        name.set("left behind")
        try:
            raise KeyError("left behind")
        except KeyError:
            await_(turn())

    def look() -> tuple[str, Any]:
        return name.get(), sys.exception()

    async def go() -> Any:
        loop = asyncio.get_running_loop()
        await loop.create_task(pool.run(leave), context=copy_context())
        return await loop.create_task(pool.run(look), context=copy_context())

    assert asyncio.run(go()) == ("default", None)


# ------------------------------------------------------------------------------------------------------- exceptions


def test_each_greenlet_has_its_own_handled_exception() -> None:
    def work(number: int) -> Any:
        try:
            raise KeyError(number)
        except KeyError:
            await_(turn())
            await_(turn())
            return sys.exception().args  # type: ignore[union-attr]

    async def go() -> Any:
        pool = Greenlets()
        return await asyncio.gather(*(pool.run(work, number) for number in range(5)))

    assert asyncio.run(go()) == [(number,) for number in range(5)]


def test_a_traceback_leads_through_all_that_was_called() -> None:
    async def below() -> None:
        await asyncio.sleep(0)
        raise ZeroDivisionError("below")

    def helper() -> None:
        await_(below())

    def work() -> None:
        helper()

    async def go() -> list[str]:
        with pytest.raises(ZeroDivisionError) as caught:
            await Greenlets().run(work)
        return [entry.name for entry in caught.traceback]

    names = asyncio.run(go())
    order = [names.index(each) for each in ("go", "work", "helper", "below")]
    assert order == sorted(order)


def test_greenlet_exit_ends_an_endless_call() -> None:
    """It is how greenlets are made to exit; the call of a function that raises it fails, and does not hang."""

    def leave() -> None:
        raise GreenletExit

    async def go() -> None:
        pool = Greenlets()
        try:
            await asyncio.wait_for(pool.run(leave), 5)
        except BaseException as error:
            assert not isinstance(error, TimeoutError)  # noqa: PT017
        assert await pool.run(lambda: 1) == 1

    asyncio.run(go())


# --------------------------------------------------------------------------------------------- asyncio's own tools


@pytest.fixture(params=["alone", "pool"])
def run(request: pytest.FixtureRequest) -> Callable[..., Any]:
    return in_greenlet if request.param == "alone" else Greenlets().run


def test_a_timeout_inside_of_what_is_awaited(run: Callable[..., Any]) -> None:
    async def slow() -> None:
        async with asyncio.timeout(0.001):
            await asyncio.Event().wait()

    def work() -> str:
        with pytest.raises(TimeoutError):
            await_(slow())
        return await_(asyncio.sleep(0, "went on"))

    assert asyncio.run(run(work)) == "went on"


def test_a_timeout_around_sync_code(run: Callable[..., Any]) -> None:
    seen = []

    def work() -> None:
        try:
            await_(asyncio.Event().wait())
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    async def go() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.001):
                await run(work)

    asyncio.run(go())
    assert seen == ["cancelled"]


def test_a_task_group_inside_of_what_is_awaited(run: Callable[..., Any]) -> None:
    async def group(fail: bool) -> list[str]:
        async def child(word: str) -> str:
            await asyncio.sleep(0)
            if fail and word == "b":
                raise KeyError(word)
            return word

        async with asyncio.TaskGroup() as tasks:
            children = [tasks.create_task(child(word)) for word in "abc"]
        return [each.result() for each in children]

    def work() -> list[str]:
        with pytest.raises(ExceptionGroup) as caught:
            await_(group(fail=True))
        assert [type(each) for each in caught.value.exceptions] == [KeyError]
        return await_(group(fail=False))

    assert asyncio.run(run(work)) == ["a", "b", "c"]


def test_sync_code_in_the_tasks_of_a_group(run: Callable[..., Any]) -> None:
    def child(word: str) -> str:
        await_(turn())
        if word == "b":
            raise KeyError(word)
        try:
            await_(asyncio.Event().wait())
        except asyncio.CancelledError:
            seen.append(word)
            raise
        return word

    async def group() -> None:
        async with asyncio.TaskGroup() as tasks:
            for word in "abc":
                tasks.create_task(run(child, word))

    seen: list[str] = []
    with pytest.raises(ExceptionGroup):
        asyncio.run(run(lambda: await_(group())))
    assert sorted(seen) == ["a", "c"]


def test_what_is_awaited_may_be_anything_awaitable(run: Callable[..., Any]) -> None:
    class Own:
        def __await__(self) -> Any:
            yield from asyncio.sleep(0).__await__()
            return "own"

    async def go() -> Any:
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        loop.call_soon(future.set_result, "future")

        def work() -> list[Any]:
            return [await_(each) for each in (Own(), future, loop.create_task(asyncio.sleep(0, "task")))]

        return await run(work)

    assert asyncio.run(go()) == ["own", "future", "task"]


def test_an_object_that_cannot_be_awaited_raises_at_the_await(run: Callable[..., Any]) -> None:
    def work() -> str:
        with pytest.raises(TypeError, match="can't be used in 'await' expression"):
            await_(3)  # type: ignore[arg-type]
        return "went on"

    assert asyncio.run(run(work)) == "went on"


# --------------------------------------------------------------------------------------------- greenlets in greenlets


def test_await_inside_of_what_is_awaited_is_refused(run: Callable[..., Any]) -> None:
    """A coroutine has await; a greenlet far below it must not be taken for its own."""

    async def wrong() -> None:
        await_(turn())

    def work() -> str:
        with pytest.raises(RuntimeError, match="in 'async def' use await"):
            await_(wrong())
        return "went on"

    assert asyncio.run(run(work)) == "went on"


def test_many_levels(run: Callable[..., Any]) -> None:
    def level(number: int) -> int:
        await_(turn())
        return 1 + await_(run(level, number - 1)) if number else 0

    assert asyncio.run(run(level, 30)) == 30


def test_a_cancellation_passes_through_all_levels(run: Callable[..., Any]) -> None:
    seen: list[str] = []

    def level(number: int) -> None:
        try:
            await_(run(level, number - 1) if number else asyncio.Event().wait())
        except asyncio.CancelledError:
            seen.append(f"level {number}")
            raise

    async def go() -> None:
        task = asyncio.ensure_future(run(level, 3))
        await turn()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(go())
    assert seen == [f"level {number}" for number in range(4)]


def test_a_generator_may_wait(run: Callable[..., Any]) -> None:
    def numbers() -> Any:
        for number in range(3):
            await_(turn())
            yield number

    assert asyncio.run(run(lambda: list(numbers()))) == [0, 1, 2]


# ------------------------------------------------------------------------------------------------------- many at once


def test_hundreds_wait_while_the_loop_ticks() -> None:
    async def go() -> tuple[int, int]:
        waiters, ticks = Waiters(Greenlets()), 0
        waiting = [asyncio.ensure_future(waiters.pool.run(waiters.wait)) for _ in range(300)]
        for _ in range(50):
            await turn()
            ticks += 1
        assert not any(task.done() for task in waiting)
        waiters.gate.set()
        await asyncio.gather(*waiting)
        return ticks, len(waiting)

    assert asyncio.run(go()) == (50, 300)


def test_greenlets_of_several_threads_do_not_meet() -> None:
    pool, failures = Greenlets(), []

    def work(word: str) -> str:
        for _ in range(20):
            await_(turn())
        return word

    async def go(word: str) -> None:
        results = await asyncio.gather(*(pool.run(work, f"{word}{number}") for number in range(20)))
        if results != [f"{word}{number}" for number in range(20)]:
            failures.append(results)

    threads = [threading.Thread(target=lambda word=word: asyncio.run(go(word))) for word in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_call_may_be_begun_in_one_greenlet_and_go_on_in_another(run: Callable[..., Any]) -> None:
    """An eager task of sync code: its first step runs inside the greenlet, the next one on the event loop."""

    def child() -> str:
        await_(turn())
        await_(turn())
        return "child"

    async def go() -> tuple[str, str]:
        finished: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        async def drive(call: Any, future: Any) -> None:
            await future
            finished.set_result(await Rest(call))

        def work() -> str:
            call = run(child)
            future = call.send(None)  # the first step
            task = asyncio.ensure_future(drive(call, asyncio.sleep(0)))
            assert future is None
            await_(asyncio.sleep(0))
            await_(task)
            return "work"

        return await run(work), await finished

    assert asyncio.run(go()) == ("work", "child")


class Rest:
    """Awaits a coroutine that has begun already."""

    def __init__(self, call: Any) -> None:
        self.call = call

    def __await__(self) -> Any:
        while True:
            try:
                yield self.call.send(None)
            except StopIteration as stop:
                return stop.value


def test_an_exception_that_passes_through_keeps_nothing_alive(run: Callable[..., Any]) -> None:
    async def fail() -> None:
        await asyncio.sleep(0)
        raise KeyError("from below")

    class Thing:
        pass

    things: list[weakref.ref[Any]] = []

    def work() -> None:
        thing = Thing()
        things.append(weakref.ref(thing))
        await_(fail())

    async def go() -> None:
        try:
            await run(work)
        except KeyError:
            pass

    gc.collect()
    gc.disable()
    try:
        asyncio.run(go())
        assert things[0]() is None
    finally:
        gc.enable()
