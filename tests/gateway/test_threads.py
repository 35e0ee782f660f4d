import asyncio
import gc
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar, copy_context
from typing import Any

import pytest

from atlas.gateway.greenlets import await_, can_wait, in_greenlet
from atlas.gateway.threads import BlockingCall, ThreadPool, in_thread, next_turn

VARIABLE: ContextVar[str] = ContextVar("variable", default="default")
PATIENCE = 10.0

each_way = pytest.mark.parametrize("way", ["in_thread", "threads"])


@pytest.fixture
def run(way: str) -> Callable[..., Any]:
    """``in_thread``, or a pool's own ``run``, which are to be the same."""
    return in_thread if way == "in_thread" else ThreadPool(limit=2).run


async def later(value: str) -> str:
    await asyncio.sleep(0)
    return value


@each_way
def test_a_function_runs_in_another_thread_with_the_context_of_its_caller(run: Callable[..., Any]) -> None:
    def look(a: int, *, b: int) -> tuple[bool, str, int]:
        return threading.current_thread() is threading.main_thread(), VARIABLE.get(), a + b

    async def go() -> tuple[bool, str, int]:
        VARIABLE.set("me")
        result: tuple[bool, str, int] = await run(look, 1, b=2)
        return result

    assert asyncio.run(go()) == (False, "me", 3)


@each_way
@pytest.mark.parametrize("error", [ZeroDivisionError("mine"), SystemExit(3), asyncio.CancelledError("mine")])
def test_its_exception_is_raised_here(run: Callable[..., Any], error: BaseException) -> None:
    def fail() -> None:
        raise error

    async def go() -> None:
        with pytest.raises(type(error)) as caught:
            await run(fail)
        assert caught.value is error
        assert caught.traceback[-1].name == "fail"

    asyncio.run(go())


@each_way
def test_a_stop_iteration_does_not_hang(run: Callable[..., Any]) -> None:
    with pytest.raises(RuntimeError, match="StopIteration"):
        asyncio.run(run(next, iter([])))


def test_others_get_their_turn() -> None:
    seen = []

    async def go() -> None:
        asyncio.get_running_loop().call_soon(seen.append, "other")
        await next_turn()
        seen.append("me")

    asyncio.run(go())
    assert seen == ["other", "me"]


# ---------------------------------------------------------------------------------------------- await_ in a thread


@each_way
def test_it_can_wait_for_the_loop_in_the_callers_task(run: Callable[..., Any]) -> None:
    async def whose() -> Any:
        await asyncio.sleep(0)
        return asyncio.current_task()

    def work() -> tuple[bool, Any, str]:
        return can_wait(), await_(whose()), await_(later("x"))

    async def go() -> tuple[bool, bool, str]:
        able, task, value = await run(work)
        return able, task is asyncio.current_task(), value

    assert asyncio.run(go()) == (True, True, "x")


@each_way
def test_exceptions_come_back_with_their_traceback(run: Callable[..., Any]) -> None:
    async def fail() -> None:
        await asyncio.sleep(0)
        raise KeyError("from the loop")

    def work() -> None:
        with pytest.raises(KeyError, match="from the loop") as caught:
            await_(fail())
        assert caught.traceback[-1].name == "fail"
        raise ValueError("from the thread")

    with pytest.raises(ValueError, match="from the thread"):
        asyncio.run(run(work))


@each_way
def test_context_variables_are_those_of_the_caller_both_ways(run: Callable[..., Any]) -> None:
    async def on_the_loop() -> str:
        seen = VARIABLE.get()
        VARIABLE.set("loop")
        return seen

    def work() -> tuple[str, str]:
        VARIABLE.set("thread")
        seen = await_(on_the_loop())
        between = VARIABLE.get()
        VARIABLE.set("thread again")
        return seen, between

    async def go() -> tuple[Any, str]:
        VARIABLE.set("caller")
        return await run(work), VARIABLE.get()

    assert asyncio.run(go()) == (("thread", "loop"), "thread again")


@each_way
def test_what_another_has_set_meanwhile_stays(run: Callable[..., Any]) -> None:
    """Only what the function itself has set comes back."""

    async def go() -> str:
        VARIABLE.set("before")
        begun, let_go = asyncio.Event(), threading.Event()
        loop, context = asyncio.get_running_loop(), copy_context()

        def work() -> None:
            loop.call_soon_threadsafe(begun.set)
            assert let_go.wait(PATIENCE)

        task = loop.create_task(run(work), context=context)
        await begun.wait()
        context.run(VARIABLE.set, "meanwhile")
        let_go.set()
        await task
        return context[VARIABLE]

    assert asyncio.run(go()) == "meanwhile"


@each_way
def test_a_timeout_may_begin_in_one_wait_and_end_in_another(run: Callable[..., Any]) -> None:
    """They are one task: what asyncio ties to a task holds from one ``await_`` to the next."""

    async def begin() -> asyncio.Timeout:
        return await asyncio.timeout(PATIENCE).__aenter__()

    def work() -> str:
        timeout = await_(begin())
        value = await_(later("in time"))
        await_(timeout.__aexit__(None, None, None))
        return value

    assert asyncio.run(run(work)) == "in time"


@each_way
def test_a_cancellation_is_raised_where_it_waits(run: Callable[..., Any]) -> None:
    seen: list[str] = []

    async def go() -> None:
        waiting = asyncio.Event()

        async def for_ever() -> None:
            waiting.set()
            await asyncio.Event().wait()

        def work() -> None:
            try:
                await_(for_ever())
            except asyncio.CancelledError:
                seen.append("cancelled")
                raise
            finally:
                seen.append(await_(later("cleaned up")))

        task = asyncio.ensure_future(run(work))
        await waiting.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(go())
    assert seen == ["cancelled", "cleaned up"]


@each_way
def test_a_function_whose_caller_was_cancelled_is_cancelled_at_its_next_wait(run: Callable[..., Any]) -> None:
    seen: list[str] = []
    ended = threading.Event()

    async def go() -> None:
        begun, let_go = asyncio.Event(), threading.Event()
        loop = asyncio.get_running_loop()

        def work() -> None:
            loop.call_soon_threadsafe(begun.set)
            assert let_go.wait(PATIENCE)
            try:
                await_(later("default"))
            except asyncio.CancelledError:
                seen.append("cancelled")
                with pytest.raises(asyncio.CancelledError):
                    await_(later("default"))
            finally:
                ended.set()

        task = asyncio.ensure_future(run(work))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        let_go.set()

    asyncio.run(go())
    assert ended.wait(PATIENCE)
    assert seen == ["cancelled"]


@each_way
@pytest.mark.filterwarnings("error")
def test_a_thread_whose_loop_is_closed_is_cancelled(run: Callable[..., Any]) -> None:
    seen: list[str] = []
    begun, let_go, ended = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        assert let_go.wait(PATIENCE)
        try:
            await_(later("default"))
        except asyncio.CancelledError:
            seen.append("cancelled")
        finally:
            ended.set()

    loop = asyncio.new_event_loop()
    task = loop.create_task(run(work))
    loop.run_until_complete(asyncio.sleep(0))
    assert begun.wait(PATIENCE)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        loop.run_until_complete(task)
    loop.close()
    let_go.set()
    assert ended.wait(PATIENCE)
    assert seen == ["cancelled"]


def test_a_coroutine_that_is_dropped_lets_its_thread_go() -> None:
    seen: list[str] = []
    waiting, ended = threading.Event(), threading.Event()

    async def for_ever() -> None:
        waiting.set()
        await asyncio.Event().wait()

    def work() -> None:
        try:
            await_(for_ever())
        except asyncio.CancelledError:
            seen.append("cancelled")
        finally:
            ended.set()

    loop = asyncio.new_event_loop()
    coroutine = ThreadPool().run(work)
    task = loop.create_task(coroutine)
    while not waiting.is_set():
        loop.run_until_complete(asyncio.sleep(0))
    coroutine.close()
    task._log_destroy_pending = False  # type: ignore[attr-defined]  # that is what is tested here
    loop.close()
    assert ended.wait(PATIENCE)
    assert seen == ["cancelled"]


def test_only_its_own_thread_can_wait() -> None:
    def elsewhere() -> list[bool]:
        context = copy_context()
        with ThreadPoolExecutor(1) as other:
            return [can_wait(), other.submit(context.run, can_wait).result(PATIENCE)]

    assert asyncio.run(in_thread(elsewhere)) == [True, False]


def test_a_loop_in_the_thread_is_not_blocked() -> None:
    async def own() -> bool:
        return can_wait()

    assert asyncio.run(in_thread(lambda: asyncio.run(own()))) is False


def test_a_greenlet_around_a_thread_around_a_greenlet() -> None:
    def innermost() -> str:
        return await_(later("deep"))

    def in_the_thread() -> str:
        return await_(in_greenlet(innermost))

    def outermost() -> str:
        return await_(in_thread(in_the_thread))

    assert asyncio.run(in_greenlet(outermost)) == "deep"


def test_nothing_stays() -> None:
    class Thing:
        pass

    things: list[weakref.ref[Any]] = []

    def work(thing: Thing) -> Thing:
        things.append(weakref.ref(thing))
        await_(later("x"))
        return thing

    def blocking_calls() -> list[BlockingCall]:
        return [each for each in gc.get_objects() if type(each) is BlockingCall]

    gc.collect()
    before = len(blocking_calls())
    gc.disable()
    try:
        asyncio.run(in_thread(work, Thing()))  # its end is that of the thread
        assert (things[0](), len(blocking_calls())) == (None, before)
    finally:
        gc.enable()


# --------------------------------------------------------------------------------------------------------- the pool


def test_a_limited_number_runs_and_the_others_wait() -> None:
    lock, let_go = threading.Lock(), threading.Event()
    running, most = 0, 0

    def work() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
            full = most == 3
        if full:
            let_go.set()
        assert let_go.wait(PATIENCE)
        with lock:
            running -= 1

    async def go() -> None:
        pool = ThreadPool(limit=3)
        await asyncio.gather(*(pool.run(work) for _ in range(20)))

    asyncio.run(go())
    assert most == 3


def test_waiting_calls_release_their_tokens() -> None:
    """Thirty calls that wait for the thirty-first, with one token."""

    async def go() -> int:
        pool, gate = ThreadPool(limit=1), asyncio.Event()

        def wait() -> int:
            await_(gate.wait())
            return 1

        waiting = [asyncio.ensure_future(pool.run(wait)) for _ in range(30)]
        await pool.run(lambda: await_(opened(gate)))
        return sum(await asyncio.gather(*waiting))

    async def opened(gate: asyncio.Event) -> None:
        gate.set()

    assert asyncio.run(go()) == 30


def test_a_waiter_can_be_cancelled() -> None:
    async def go() -> str:
        pool, begun, let_go = ThreadPool(limit=1), asyncio.Event(), threading.Event()
        loop = asyncio.get_running_loop()

        def hold() -> None:
            loop.call_soon_threadsafe(begun.set)
            assert let_go.wait(PATIENCE)

        holding = asyncio.ensure_future(pool.run(hold))
        await begun.wait()
        tired, patient = (asyncio.ensure_future(pool.run(str, word)) for word in ("tired", "patient"))
        await asyncio.sleep(0)
        tired.cancel()
        let_go.set()
        await holding
        value = await patient
        assert tired.cancelled()
        return value

    assert asyncio.run(go()) == "patient"


def test_a_waiter_that_is_cancelled_after_it_was_woken_passes_the_token_on() -> None:
    async def go() -> str:
        pool = ThreadPool(limit=1)
        first = asyncio.ensure_future(pool.run(lambda: None))
        await asyncio.sleep(0)
        second, third = (asyncio.ensure_future(pool.run(str, word)) for word in ("second", "third"))
        await asyncio.sleep(0)
        first.add_done_callback(lambda _: second.cancel())
        (_, outcome, value) = await asyncio.gather(first, second, third, return_exceptions=True)
        assert isinstance(outcome, asyncio.CancelledError)
        return str(value)

    assert asyncio.run(go()) == "third"


def test_a_function_whose_caller_was_cancelled_keeps_its_token_until_it_ends() -> None:
    """Otherwise cancelled requests could start any number of threads."""

    async def go() -> list[str]:
        pool, begun, let_go = ThreadPool(limit=1), asyncio.Event(), threading.Event()
        loop, seen = asyncio.get_running_loop(), []

        def hold() -> None:
            loop.call_soon_threadsafe(begun.set)
            assert let_go.wait(PATIENCE)
            seen.append("held")

        task = asyncio.ensure_future(pool.run(hold))
        await begun.wait()
        task.cancel()
        next_one = asyncio.ensure_future(pool.run(seen.append, "next"))
        await asyncio.wait([task])
        assert seen == []
        let_go.set()
        await next_one
        return seen

    assert asyncio.run(go()) == ["held", "next"]


def test_a_pool_serves_several_loops() -> None:
    pool = ThreadPool(limit=1)

    def work(word: str) -> str:
        return await_(later(word))

    with ThreadPoolExecutor(2) as executor:
        assert list(executor.map(lambda word: asyncio.run(pool.run(work, word)), "abcdef")) == list("abcdef")
