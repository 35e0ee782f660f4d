"""The interface of stores, tested with each store."""

import asyncio
from collections.abc import Callable
from inspect import isawaitable
from pathlib import Path
from typing import Any

import pytest

from atlas.redis import RedisStore
from atlas.web.stores.files import FileStore
from atlas.web.stores.memory import MemoryStore
from atlas.web.stores.store import missing_methods


class Clock:
    def __init__(self) -> None:
        self.now = 2_000_000_000.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


class RedisClock:
    def __init__(self, server: Any) -> None:
        self._server = server

    def advance(self, seconds: float) -> None:
        self._server.pass_time(seconds)


@pytest.fixture(params=["memory", "file", "redis"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def clock(kind: str, request: pytest.FixtureRequest) -> Any:
    return RedisClock(request.getfixturevalue("redis_server")) if kind == "redis" else Clock()


@pytest.fixture
def store(kind: str, tmp_path: Path, clock: Any, request: pytest.FixtureRequest) -> Any:
    if kind == "redis":
        return RedisStore(request.getfixturevalue("redis_server").url)
    return MemoryStore(clock=clock) if kind == "memory" else FileStore(tmp_path / "sessions", clock=clock)


@pytest.fixture
def do(store: Any) -> Any:
    """Call a method of the store, on one event loop."""
    with asyncio.Runner() as runner:

        async def call(function: Callable[..., Any], *arguments: Any) -> Any:
            result = function(*arguments)
            return await result if isawaitable(result) else result

        yield lambda function, *arguments: runner.run(call(function, *arguments))
        if isinstance(store, RedisStore):
            runner.run(store.aclose())


def test_saved_data_comes_back(store: Any, do: Any) -> None:
    assert do(store.get, "a") is None
    do(store.set, "a", b"one", 60)
    do(store.set, "b", b"\0\xff", 60)
    assert (do(store.get, "a"), do(store.get, "b"), do(store.get, "c")) == (b"one", b"\0\xff", None)
    do(store.set, "a", b"", 60)
    assert do(store.get, "a") == b""


def test_sessions_expire(store: Any, do: Any, clock: Any) -> None:
    do(store.set, "a", b"one", 60)
    clock.advance(59)
    assert do(store.get, "a") == b"one"
    clock.advance(1)
    assert do(store.get, "a") is None


def test_touch_extends_the_time(store: Any, do: Any, clock: Any) -> None:
    do(store.set, "a", b"one", 60)
    clock.advance(59)
    do(store.touch, "a", 60)
    clock.advance(59)
    assert do(store.get, "a") == b"one"


def test_touch_ignores_expired_sessions(store: Any, do: Any, clock: Any) -> None:
    do(store.set, "a", b"one", 60)
    clock.advance(61)
    do(store.touch, "a", 60)
    assert do(store.get, "a") is None


def test_touch_ignores_unknown_sessions(store: Any, do: Any) -> None:
    do(store.touch, "a", 60)
    assert do(store.get, "a") is None


def test_replace_saves_only_what_there_is(store: Any, do: Any, clock: Any) -> None:
    replace = store.replace
    assert not do(replace, "a", b"one", 60)
    assert do(store.get, "a") is None
    do(store.set, "a", b"one", 60)
    assert do(replace, "a", b"two", 120)
    clock.advance(61)
    assert do(store.get, "a") == b"two"
    clock.advance(60)
    assert not do(replace, "a", b"three", 60)
    assert do(store.get, "a") is None
    do(store.set, "a", b"one", 60)
    do(store.delete, "a")
    assert not do(replace, "a", b"two", 60)


def test_delete(store: Any, do: Any) -> None:
    do(store.set, "a", b"one", 60)
    for _ in range(2):
        do(store.delete, "a")
        assert do(store.get, "a") is None


@pytest.mark.parametrize(
    "name", ["../a", "/etc/passwd", "a\0b", "", ".", "..", "a/b", "a" * 5000, "ü\udc80", "con", "A"]
)
def test_names_with_any_characters(store: Any, do: Any, name: str) -> None:
    do(store.set, "a", b"other", 60)
    do(store.set, name, b"one", 60)
    assert (do(store.get, name), do(store.get, "a")) == (b"one", b"other")
    do(store.delete, name)
    assert (do(store.get, name), do(store.get, "a")) == (None, b"other")


def test_add_saves_only_what_there_is_not(store: Any, do: Any, clock: Any) -> None:
    assert do(store.add, "a", b"one", 60)
    assert not do(store.add, "a", b"two", 600)
    assert do(store.get, "a") == b"one"
    clock.advance(61)
    assert do(store.add, "a", b"three", 60)
    assert do(store.get, "a") == b"three"


def test_release_deletes_only_the_same_data(store: Any, do: Any, clock: Any) -> None:
    assert not do(store.release, "a", b"one")
    do(store.set, "a", b"one", 60)
    assert not do(store.release, "a", b"two")
    assert do(store.get, "a") == b"one"
    assert do(store.release, "a", b"one")
    assert do(store.get, "a") is None
    do(store.set, "a", b"one", 60)
    clock.advance(61)
    assert not do(store.release, "a", b"one")


@pytest.mark.parametrize(
    ("store", "missing"),
    [
        (MemoryStore(), ""),
        (MemoryStore, "instance"),
        (None, "get, set, delete, touch, add"),
        ({}, "set, delete, touch, add"),
    ],
)
def test_what_an_object_lacks(store: Any, missing: str) -> None:
    assert missing_methods(store, "add") == missing
