"""The parts of locks that a cache does not show; test_cache.py has locks in each store."""

import asyncio
from typing import Any

import pytest

from atlas.web.cache.locks import CacheLock, _pauses, compute_once
from atlas.web.stores.memory import MemoryStore


def test_pauses_grow_up_to_a_quarter_of_a_second() -> None:
    pauses = _pauses()
    first = [next(pauses) for _ in range(40)]
    assert 0.005 <= first[0] <= 0.01
    assert all(0.125 <= pause <= 0.25 for pause in first[-10:])


def test_a_store_without_the_methods() -> None:
    class Short:
        get = set = delete = touch = print

    with pytest.raises(TypeError, match="has no add, release"):
        CacheLock(Short(), "a", 1, None)


def test_a_lock_is_released_after_an_exception() -> None:
    store = MemoryStore()

    async def use() -> None:
        with pytest.raises(KeyError):
            async with CacheLock(store, "a", 60, None):
                raise KeyError
        async with CacheLock(store, "a", 60, 0):
            pass

    asyncio.run(use())


def test_what_another_process_has_saved_meanwhile_is_taken() -> None:
    async def use() -> Any:
        async def find() -> str:
            return "found"

        async def compute() -> str:
            pytest.fail("computed twice")

        return await compute_once(MemoryStore(), "a", find, compute, None, 60)

    assert asyncio.run(use()) == "found"


class SlowStore(MemoryStore):
    """Saves an entry at once, and answers later."""

    def __init__(self) -> None:
        super().__init__()
        self.called, self.answers = asyncio.Event(), asyncio.Event()

    async def add(self, name: str, data: bytes, seconds: float) -> bool:  # type: ignore[override]
        added = super().add(name, data, seconds)
        self.called.set()
        await self.answers.wait()
        return added

    async def release(self, name: str, data: bytes) -> bool:  # type: ignore[override]
        self.called.set()
        await self.answers.wait()
        return super().release(name, data)


async def hold(store: Any) -> None:
    async with CacheLock(store, "a", 60, None):
        pass


async def compute(store: Any) -> None:
    async def nothing() -> None: ...

    await compute_once(store, "a", nothing, nothing, None, 60)


@pytest.mark.parametrize("use", [hold, compute])
def test_a_caller_that_is_cancelled_while_it_waits_for_the_store_leaves_no_lock(use: Any) -> None:
    async def cancel() -> int:
        store = SlowStore()
        task = asyncio.create_task(use(store))
        await store.called.wait()
        task.cancel()
        store.answers.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        return len(store)

    assert asyncio.run(cancel()) == 0


@pytest.mark.parametrize("use", [hold, compute])
def test_a_caller_that_is_cancelled_while_it_releases_leaves_no_lock(use: Any) -> None:
    async def cancel() -> int:
        store = SlowStore()
        store.answers.set()
        task = asyncio.create_task(use(store))
        await store.called.wait()
        store.called.clear()
        store.answers.clear()
        await store.called.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        store.answers.set()
        await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()})
        return len(store)

    assert asyncio.run(cancel()) == 0


@pytest.mark.parametrize("use", [hold, compute])
def test_an_entry_that_was_added_by_a_command_without_an_answer_is_the_own_one(use: Any) -> None:
    class Repeating(MemoryStore):
        def add(self, name: str, data: bytes, seconds: float) -> bool:
            super().add(name, data, seconds)
            return super().add(name, data, seconds)

    store = Repeating()
    asyncio.run(asyncio.wait_for(use(store), 5))
    assert len(store) == 0
