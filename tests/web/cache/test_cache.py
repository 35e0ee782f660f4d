import asyncio
import datetime
import math
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from atlas import Application, AsyncRequest, Cache, FileStore, MemoryStore, Request, Route, TestClient
from atlas.gateway.greenlets import in_greenlet
from atlas.redis import RedisStore
from atlas.web.stores.store import StoreUnavailable


class Price(msgspec.Struct):
    item: str
    cents: int


@pytest.fixture(params=["memory", "file", "redis"])
def store(request: pytest.FixtureRequest, tmp_path: Any) -> Any:
    if request.param == "redis":
        return RedisStore(request.getfixturevalue("redis_server").url)
    return MemoryStore() if request.param == "memory" else FileStore(tmp_path)


@pytest.fixture
def runner(store: Any) -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner
        if isinstance(store, RedisStore):
            runner.run(store.aclose())


@pytest.fixture
def do(runner: asyncio.Runner) -> Any:
    """Call sync code that waits."""
    return lambda function, *args, **kwargs: runner.run(in_greenlet(function, *args, **kwargs))


def test_values_come_back(store: Any, do: Any) -> None:
    cache = Cache(store)
    day = datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)
    for value in (None, 0, "text", b"\0", [1, [2]], {"a": {"b": 1.5}}, day):
        do(cache.set, "a", value)
        assert do(cache.get, "a", "default", type=type(value) if value is day else Any) == value
    assert do(cache.get, "b") is None
    assert do(cache.get, "b", 7) == 7


def test_a_typed_value(store: Any, do: Any) -> None:
    cache = Cache(store)
    do(cache.set, "a", Price("tea", 250))
    assert do(cache.get, "a") == {"item": "tea", "cents": 250}
    assert do(cache.get, "a", type=Price) == Price("tea", 250)
    assert do(cache.get, "a", 0, type=int) == 0  # saved by another version of the program


def test_delete_and_expiry(store: Any, do: Any) -> None:
    cache = Cache(store)
    do(cache.set, "a", 1)
    do(cache.touch, "a", 600)
    assert do(cache.get, "a") == 1
    do(cache.delete, "a")
    do(cache.delete, "a")
    assert do(cache.get, "a") is None
    do(cache.touch, "a")
    assert do(cache.get, "a") is None


def test_a_value_is_computed_once(store: Any, runner: asyncio.Runner) -> None:
    cache, calls = Cache(store), []

    async def compute() -> int:
        calls.append(1)
        await asyncio.sleep(0)
        return len(calls)

    async def ask() -> list[int]:
        return await asyncio.gather(*[cache.async_cache.get_or_set("a", compute) for _ in range(20)])

    assert runner.run(ask()) == [1] * 20
    assert runner.run(cache.async_cache.get_or_set("a", compute)) == 1
    assert len(calls) == 1


def test_caches_of_several_processes_compute_once(store: Any, runner: asyncio.Runner) -> None:
    if isinstance(store, MemoryStore):
        pytest.skip("a process has its own memory")
    caches, calls = [Cache(store) for _ in range(3)], []

    async def compute() -> int:
        calls.append(1)
        await asyncio.sleep(0.02)
        return len(calls)

    async def ask() -> list[int]:
        return await asyncio.gather(*[each.async_cache.get_or_set("a", compute) for each in caches for _ in range(4)])

    assert runner.run(ask()) == [1] * 12
    assert len(calls) == 1


def test_a_process_that_ended_while_it_computed_is_not_waited_for(store: Any, runner: asyncio.Runner) -> None:
    cache = Cache(store, lock_seconds=0.05)

    async def ask() -> int:
        if not isinstance(store, MemoryStore):
            await store.add("cache-computing:a", b"of another process", 600)
        return await cache.async_cache.get_or_set("a", lambda: 1)

    assert runner.run(ask()) == 1


def test_nothing_is_saved_after_an_exception(store: Any, do: Any) -> None:
    cache = Cache(store)

    def fail() -> int:
        raise KeyError("x")

    with pytest.raises(KeyError):
        do(cache.get_or_set, "a", fail)
    assert do(cache.get_or_set, "a", lambda: 1) == 1


def test_one_holder_at_a_time(store: Any, runner: asyncio.Runner) -> None:
    cache, inside, order = Cache(store), [], []

    async def hold(number: int) -> None:
        async with cache.lock("import"):
            inside.append(number)
            assert len(inside) == 1
            await asyncio.sleep(0)
            order.append(number)
            inside.remove(number)

    async def main() -> None:
        await asyncio.gather(*[hold(number) for number in range(4)])

    runner.run(main())
    assert sorted(order) == [0, 1, 2, 3]


def test_a_lock_that_is_not_free_in_time(store: Any, do: Any) -> None:
    cache = Cache(store)

    def use() -> None:
        with cache.lock("import"), pytest.raises(TimeoutError, match="'cache-lock:import' was not free within 0 s"):
            second = cache.lock("import", wait=0)
            second.__enter__()
        with cache.lock("import", wait=0):
            pass

    do(use)


def test_a_lock_that_expires_is_told(store: Any, runner: asyncio.Runner, caplog: pytest.LogCaptureFixture) -> None:
    cache = Cache(store)

    async def use() -> None:
        async with cache.lock("import", seconds=60):
            if isinstance(store, MemoryStore):
                store.delete("cache-lock:import")
            else:
                await store.delete("cache-lock:import")

    runner.run(use())
    assert "the lock 'cache-lock:import' has expired after 60 s" in caplog.text


@pytest.mark.parametrize(
    ("options", "error", "told"),
    [
        ({"store": "redis"}, TypeError, "expected 'memory' or a store .* got 'redis'"),
        ({"store": {}}, TypeError, "without set, delete, touch"),
        ({"store": MemoryStore}, TypeError, "expected 'memory' or a store"),
        ({"seconds": 0}, ValueError, "Cache: seconds: expected a time above 0, got 0"),
        ({"lock_seconds": -1}, ValueError, "Cache: lock_seconds"),
        ({"lock_seconds": math.nan}, ValueError, "Cache: lock_seconds: expected a time above 0, got nan"),
        ({"seconds": "60"}, TypeError, "Cache: seconds: expected a number of seconds, got '60'"),
        ({"size": 0}, ValueError, "size"),
    ],
)
def test_wrong_options(options: dict[str, Any], error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=told):
        Cache(**options)


def test_wrong_calls() -> None:
    cache = Cache()

    async def use() -> None:
        with pytest.raises(ValueError, match="seconds: expected a time above 0, got 0"):
            await cache.async_cache.set("a", 1, 0)
        with pytest.raises(TypeError, match="complex"):
            await cache.async_cache.set("a", 1j)
        with pytest.raises(ValueError, match="key: expected some text"):
            await cache.async_cache.get("")

    asyncio.run(use())
    with pytest.raises(ValueError, match="lock: seconds"):
        cache.lock("a", seconds=0)
    with pytest.raises(ValueError, match="lock: wait"):
        cache.lock("a", wait=-1)


def test_sync_code_that_cannot_wait() -> None:
    with pytest.raises(RuntimeError, match="await_"):
        Cache().get("a")


def test_functions_of_both_kinds_are_cached(redis_server: Any) -> None:
    store = RedisStore(redis_server.url)
    cache, calls = Cache(store), []

    @cache.cached(60)
    def sync_price(item: str) -> dict[str, Any]:
        calls.append(item)
        return {"item": item}

    @cache.cached(key=lambda item: f"price:{item}", type=Price)
    async def async_price(item: str) -> Price:
        calls.append(item)
        return Price(item, 250)

    def sync_page(request: Request, item: str) -> Any:
        return sync_price(item)

    async def async_page(request: AsyncRequest, item: str) -> Any:
        return (await async_price(item)).item

    app = Application([Route("/sync/{item}", sync_page), Route("/async/{item}", async_page)])
    cache.bind(app)
    with TestClient(app) as client:
        for _ in range(2):
            assert client.get("/sync/tea").json() == {"item": "tea"}
            assert client.get("/async/milk").text == "milk"
        assert client.get("/sync/milk").json() == {"item": "milk"}
    assert calls == ["tea", "milk", "milk"]
    assert sync_price.__name__ == "sync_price"
    with redis_server.client() as look:
        assert len(look.client_list()) == 1  # its own
        assert look.exists("atlas:cache:price:milk")


def test_a_store_that_does_not_answer() -> None:
    async def ask() -> None:
        store = RedisStore("redis://127.0.0.1:1/0")
        try:
            await Cache(store).async_cache.get("a")
        finally:
            await store.aclose()

    with pytest.raises(StoreUnavailable):
        asyncio.run(ask())


@pytest.mark.parametrize("seconds", [math.inf, 1e300, 1e12, 1e-9])
def test_any_time_above_zero(store: Any, do: Any, seconds: float) -> None:
    cache = Cache(store)
    do(cache.set, "a", 1, seconds)
    do(cache.touch, "a", seconds)
    if seconds > 1:
        assert do(cache.get, "a") == 1
        lock = cache.lock("a", seconds=seconds, wait=math.inf)
        do(lock.__enter__)
        do(lock.__exit__, None, None, None)


def test_a_lock_waits_for_a_number_of_seconds() -> None:
    with pytest.raises(ValueError, match="lock: wait: expected 0 or more seconds, got nan"):
        Cache().lock("a", wait=math.nan)
