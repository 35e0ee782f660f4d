"""The lock, in all that may hold it: greenlets, coroutines, threads, several loops; alone and together."""

import asyncio
import gc
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from atlas.gateway.greenlets import Greenlets, await_, in_greenlet
from atlas.gateway.locks import Lock
from atlas.gateway.threads import ThreadPool, in_thread

PATIENCE = 10.0


class Witness:
    """Sees how many are inside at a time, and in which order they came."""

    def __init__(self) -> None:
        self.inside = 0
        self.most = 0
        self.came: list[Any] = []

    def enter(self, caller: Any = None) -> None:
        self.inside += 1
        self.most = max(self.most, self.inside)
        self.came.append(caller)

    def leave(self) -> None:
        self.inside -= 1


async def turn() -> None:
    await asyncio.sleep(0)


class Callers:
    """The same visit in each kind: take the lock, wait inside for a turn of the loop, leave."""

    def __init__(self, lock: Lock, witness: Witness) -> None:
        self.lock, self.witness, self.threads = lock, witness, ThreadPool()

    def _sync(self, caller: Any) -> None:
        with self.lock:
            self.witness.enter(caller)
            await_(turn())
            self.witness.leave()

    async def greenlet(self, caller: Any = None) -> None:
        await in_greenlet(self._sync, caller)

    async def thread(self, caller: Any = None) -> None:
        await self.threads.run(self._sync, caller)

    async def coroutine(self, caller: Any = None) -> None:
        async with self.lock:
            self.witness.enter(caller)
            await turn()
            self.witness.leave()


@pytest.fixture
def callers() -> Callers:
    return Callers(Lock(), Witness())


each_way = pytest.mark.parametrize("kind", ["greenlet", "coroutine", "thread"])


@each_way
def test_one_at_a_time(callers: Callers, kind: str) -> None:
    async def go() -> None:
        await asyncio.gather(*(getattr(callers, kind)() for _ in range(50)))

    asyncio.run(go())
    assert (callers.witness.most, len(callers.witness.came), callers.lock.locked()) == (1, 50, False)


def test_one_at_a_time_with_every_kind_of_waiter(callers: Callers) -> None:
    async def go() -> None:
        await asyncio.gather(
            *(each() for _ in range(30) for each in (callers.greenlet, callers.coroutine, callers.thread))
        )

    asyncio.run(go())
    assert (callers.witness.most, len(callers.witness.came), callers.lock.locked()) == (1, 90, False)


def test_several_loops_and_threads_together(callers: Callers) -> None:
    def in_a_loop() -> None:
        async def go() -> None:
            await asyncio.gather(
                *(each() for _ in range(20) for each in (callers.greenlet, callers.coroutine, callers.thread))
            )

        asyncio.run(go())

    def without_one() -> None:
        for _ in range(60):
            with callers.lock:
                callers.witness.enter()
                callers.witness.leave()

    with ThreadPoolExecutor(5) as executor:
        jobs = [executor.submit(in_a_loop) for _ in range(3)] + [executor.submit(without_one) for _ in range(2)]
        for job in jobs:
            job.result(60)
    assert (callers.witness.most, len(callers.witness.came), callers.lock.locked()) == (1, 300, False)


@pytest.mark.parametrize("kind", ["greenlet", "coroutine"])
def test_first_come_first_served(callers: Callers, kind: str) -> None:
    async def go() -> None:
        await asyncio.gather(*(getattr(callers, kind)(number) for number in range(20)))

    asyncio.run(go())
    assert callers.witness.came == list(range(20))


def test_a_later_request_cannot_overtake() -> None:
    """A lock that is released while a request waits is not free in between."""

    async def go() -> list[str]:
        lock, seen = Lock(), []

        async def patient() -> None:
            async with lock:
                seen.append("patient")

        async with lock:
            waiting = asyncio.ensure_future(patient())
            await turn()
        assert lock.locked()
        async with lock:
            seen.append("quick")
        await waiting
        return seen

    assert asyncio.run(go()) == ["patient", "quick"]


def test_the_loop_goes_on_while_they_wait(callers: Callers) -> None:
    async def go() -> int:
        ticks = 0
        async with callers.lock:
            waiting = [asyncio.ensure_future(each()) for each in (callers.greenlet, callers.coroutine, callers.thread)]
            for _ in range(100):
                await turn()
                ticks += 1
            assert not any(task.done() for task in waiting)
        await asyncio.gather(*waiting)
        return ticks

    assert asyncio.run(go()) == 100


# ---------------------------------------------------------------------------------------------------- cancellation


@each_way
def test_a_cancelled_waiter_leaves_the_queue(callers: Callers, kind: str) -> None:
    async def go() -> None:
        async with callers.lock:
            tired = asyncio.ensure_future(getattr(callers, kind)("tired"))
            while "1 waiting" not in repr(callers.lock):
                await turn()
            patient = asyncio.ensure_future(callers.coroutine("patient"))
            await turn()
            tired.cancel()
            with pytest.raises(asyncio.CancelledError):
                await tired
        await patient

    asyncio.run(go())
    assert (callers.witness.came, callers.lock.locked()) == (["patient"], False)


@each_way
def test_a_waiter_that_is_cancelled_after_it_was_woken_hands_the_lock_on(callers: Callers, kind: str) -> None:
    async def go() -> None:
        await callers.lock.__aenter__()
        unlucky = asyncio.ensure_future(getattr(callers, kind)("unlucky"))
        while "1 waiting" not in repr(callers.lock):
            await turn()
        callers.lock.release()
        unlucky.cancel()
        with pytest.raises(asyncio.CancelledError):
            await unlucky
        await callers.coroutine("next")

    asyncio.run(go())
    assert (callers.witness.came, callers.lock.locked()) == (["next"], False)


def test_a_waiter_on_a_closed_loop_does_not_block_others() -> None:
    lock, seen = Lock(), []
    lock.acquire()
    loop = asyncio.new_event_loop()

    async def stranded() -> None:
        async with lock:
            seen.append("stranded")

    coroutine = stranded()
    task = loop.create_task(coroutine)
    loop.run_until_complete(turn())
    assert "1 waiting" in repr(lock)
    loop.close()
    lock.release()
    with lock:
        seen.append("next")
    task._log_destroy_pending = False  # type: ignore[attr-defined]  # that it is left behind is what is tested
    coroutine.close()
    assert (seen, lock.locked()) == (["next"], False)


# ------------------------------------------------------------------------------------------------------ clear errors


def test_waiting_would_block_the_loop() -> None:
    async def go() -> None:
        lock = Lock()

        async def other() -> None:
            lock.acquire()  # free: nothing to wait for
            lock.release()
            async with lock:
                await asyncio.Event().wait()

        task = asyncio.ensure_future(other())
        await turn()
        with pytest.raises(RuntimeError, match="would block the event loop: use 'async with'"):
            lock.acquire()
        task.cancel()

    asyncio.run(go())


def test_taking_it_twice_would_wait_for_ever() -> None:
    async def in_a_coroutine(lock: Lock) -> None:
        async with lock:
            await lock.__aenter__()

    def sync(lock: Lock) -> None:
        with lock:
            lock.acquire()

    def sync_around_a_coroutine(lock: Lock) -> None:
        with lock:
            await_(in_a_coroutine(lock))

    def sync_after_a_wait(lock: Lock) -> None:
        with lock:
            await_(turn())
            lock.acquire()

    async def go() -> None:
        for attempt in (
            in_a_coroutine,
            *(
                lambda lock, run=run, function=function: run(function, lock)
                for run in (in_greenlet, Greenlets().run, in_thread)
                for function in (sync, sync_around_a_coroutine, sync_after_a_wait)
            ),
        ):
            lock = Lock()
            with pytest.raises(RuntimeError, match="holds the lock already"):
                await attempt(lock)
            assert not lock.locked()

    asyncio.run(go())
    lock = Lock()
    with pytest.raises(RuntimeError, match="holds the lock already"):
        sync(lock)


def test_greenlets_without_a_task_are_told_apart() -> None:
    """A controller may run before there is a task for it; two of them are not the same one all the same."""
    lock, seen = Lock(), []

    def take(name: str) -> None:
        with lock:
            await_(gate.wait())
            seen.append(name)

    gate = asyncio.Event()
    loop = asyncio.new_event_loop()
    calls: list[Any] = []

    def begin(name: str) -> None:
        call = in_greenlet(take, name)
        calls.append((call, call.send(None)))

    loop.call_soon(begin, "first")
    loop.call_soon(begin, "second")
    loop.run_until_complete(turn())
    assert "1 waiting" in repr(lock)
    for call, _ in reversed(calls):
        call.close()
    loop.close()
    assert (seen, lock.locked()) == ([], False)


def test_releasing_a_lock_that_is_not_held() -> None:
    with pytest.raises(RuntimeError, match=r"release\(\) of a lock that is not held"):
        Lock().release()


def test_another_may_release_it() -> None:
    async def go() -> None:
        lock = Lock()
        await asyncio.ensure_future(lock.__aenter__())
        lock.release()
        assert not lock.locked()

    asyncio.run(go())


# ----------------------------------------------------------------------------------------------------------- threads


def test_a_thread_blocks_until_a_coroutine_releases_it() -> None:
    lock, in_line = Lock(), threading.Event()

    def visit() -> str:
        in_line.set()
        with lock:
            return "in"

    async def go(executor: ThreadPoolExecutor) -> str:
        async with lock:
            job = executor.submit(visit)
            assert in_line.wait(PATIENCE)
            while "1 waiting" not in repr(lock):
                await turn()
            assert not job.done()
        return await asyncio.wrap_future(job)

    with ThreadPoolExecutor(1) as executor:
        assert asyncio.run(go(executor)) == "in"


def test_a_controller_in_a_thread_releases_its_token_while_it_waits() -> None:
    """One place, and the lock is held by one that needs it to go on."""

    async def go() -> list[str]:
        lock, seen, pool = Lock(), [], ThreadPool(limit=1)

        def visit(name: str) -> None:
            with lock:
                await_(turn())
                seen.append(name)

        await asyncio.gather(*(pool.run(visit, name) for name in "abcde"))
        return sorted(seen)

    assert asyncio.run(go()) == list("abcde")


def test_nothing_stays(callers: Callers) -> None:
    async def go() -> weakref.ref[Any]:
        task = asyncio.current_task()
        await asyncio.gather(callers.greenlet(), callers.coroutine())
        return weakref.ref(task)

    gc.collect()
    gc.disable()
    try:
        assert asyncio.run(go())() is None
    finally:
        gc.enable()


def test_its_repr_shows_its_state() -> None:
    lock = Lock()
    assert repr(lock) == "<atlas.Lock free>"
    with lock:
        assert repr(lock) == "<atlas.Lock held, 0 waiting>"
