"""The interface of session stores, tested with each store."""

import asyncio
from collections.abc import Callable
from inspect import isawaitable
from pathlib import Path
from typing import Any

import pytest

from atlas.web.sessions.files import FileStore
from atlas.web.sessions.memory import MemoryStore
from atlas.web.sessions.stores import Store


class Clock:
    now = 2_000_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["memory", "file"])
def store(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Store:
    return MemoryStore(clock=clock) if request.param == "memory" else FileStore(tmp_path / "sessions", clock=clock)


def do(function: Callable[..., Any], *arguments: Any) -> Any:
    async def go() -> Any:
        result = function(*arguments)
        return await result if isawaitable(result) else result

    return asyncio.run(go())


def test_saved_data_comes_back(store: Store) -> None:
    assert do(store.get, "a") is None
    do(store.set, "a", b"one", 60)
    do(store.set, "b", b"\0\xff", 60)
    assert (do(store.get, "a"), do(store.get, "b"), do(store.get, "c")) == (b"one", b"\0\xff", None)
    do(store.set, "a", b"", 60)
    assert do(store.get, "a") == b""


def test_sessions_expire(store: Store, clock: Clock) -> None:
    do(store.set, "a", b"one", 60)
    clock.now += 59
    assert do(store.get, "a") == b"one"
    clock.now += 1
    assert do(store.get, "a") is None


def test_touch_extends_the_time(store: Store, clock: Clock) -> None:
    do(store.set, "a", b"one", 60)
    clock.now += 59
    do(store.touch, "a", 60)
    clock.now += 59
    assert do(store.get, "a") == b"one"


def test_touch_ignores_expired_sessions(store: Store, clock: Clock) -> None:
    do(store.set, "a", b"one", 60)
    clock.now += 61
    do(store.touch, "a", 60)
    assert do(store.get, "a") is None


def test_touch_ignores_unknown_sessions(store: Store) -> None:
    do(store.touch, "a", 60)
    assert do(store.get, "a") is None


def test_replace_saves_only_what_there_is(store: Store, clock: Clock) -> None:
    replace: Any = store.replace  # type: ignore[attr-defined]  # not every store has it
    assert not do(replace, "a", b"one", 60)
    assert do(store.get, "a") is None
    do(store.set, "a", b"one", 60)
    assert do(replace, "a", b"two", 120)
    clock.now += 61
    assert do(store.get, "a") == b"two"
    clock.now += 60
    assert not do(replace, "a", b"three", 60)
    assert do(store.get, "a") is None
    do(store.set, "a", b"one", 60)
    do(store.delete, "a")
    assert not do(replace, "a", b"two", 60)


def test_delete(store: Store) -> None:
    do(store.set, "a", b"one", 60)
    for _ in range(2):
        do(store.delete, "a")
        assert do(store.get, "a") is None


@pytest.mark.parametrize(
    "name", ["../a", "/etc/passwd", "a\0b", "", ".", "..", "a/b", "a" * 5000, "ü\udc80", "con", "A"]
)
def test_names_with_any_characters(store: Store, name: str) -> None:
    do(store.set, "a", b"other", 60)
    do(store.set, name, b"one", 60)
    assert (do(store.get, name), do(store.get, "a")) == (b"one", b"other")
    do(store.delete, name)
    assert (do(store.get, name), do(store.get, "a")) == (None, b"other")
