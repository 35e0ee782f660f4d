"""The cache as a type checker sees it. This file is checked and not run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, assert_type

from atlas import AsyncCache, Cache, MemoryStore
from atlas.redis import RedisStore

cache = Cache(MemoryStore(), seconds=60)
shared = Cache(RedisStore("redis://localhost"))


@dataclass
class Price:
    cents: int


def compute() -> int:
    return 1


async def compute_later() -> Price:
    return Price(1)


@cache.cached(60)
def price(item: str) -> Price:
    return Price(len(item))


def sync_code() -> None:
    assert_type(cache.get("a", type=Price), Price | None)
    assert_type(cache.get("a", Price(1), type=Price), Price)
    assert_type(cache.get("a"), Any)
    assert_type(cache.get_or_set("a", compute), int)
    assert_type(cache.get_or_set("a", compute_later, 60, type=Price), Price)
    assert_type(price("tea"), Price)
    with shared.lock("import") as nothing:
        assert_type(nothing, None)
    cache.set("a", 1)
    cache.touch("a")
    cache.delete("a")


async def async_code() -> None:
    assert_type(cache.async_cache, AsyncCache)
    assert_type(await cache.async_cache.get("a", type=Price), Price | None)
    assert_type(await cache.async_cache.get("a"), Any)
    assert_type(await cache.async_cache.get_or_set("a", compute_later), Price)
    async with cache.async_cache.lock("import"):
        await cache.async_cache.set("a", 1)
