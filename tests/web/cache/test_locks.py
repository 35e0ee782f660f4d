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
