"""An awaitable that is already done behaves as a coroutine that never had to wait."""

import asyncio
import collections.abc
import gc
import inspect
import sys
import weakref
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvloop

from atlas._speedups import finished

EVENT = {"type": "http.request", "body": b"", "more_body": False}


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Callable[[Coroutine[Any, Any, Any]], Any]:
    """Runs a coroutine on each kind of loop."""
    factory = uvloop.new_event_loop if request.param == "uvloop" else asyncio.new_event_loop

    def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
        with asyncio.Runner(loop_factory=factory) as runner:
            return runner.run(coroutine)

    return run


async def awaited() -> Any:
    return await finished.of(EVENT)


async def task() -> Any:
    return await asyncio.create_task(finished.of(EVENT))


async def future() -> Any:
    return await asyncio.ensure_future(finished.of(EVENT))


async def gathered() -> Any:
    return (await asyncio.gather(finished.none(), finished.of(EVENT), finished.none()))[1]


async def waited_for() -> Any:
    return await asyncio.wait_for(finished.of(EVENT), 10)


async def under_a_timeout() -> Any:
    async with asyncio.timeout(10):
        return await finished.of(EVENT)


async def in_a_group() -> Any:
    async with asyncio.TaskGroup() as group:
        made = group.create_task(finished.of(EVENT))
    return made.result()


async def shielded() -> Any:
    return await asyncio.shield(finished.of(EVENT))


async def delegated() -> Any:
    class Wrapped:
        def __await__(self) -> Any:
            return (yield from finished.of(EVENT).__await__())

    return await Wrapped()


@pytest.mark.parametrize(
    "way",
    [awaited, task, future, gathered, waited_for, under_a_timeout, in_a_group, shielded, delegated],
    ids=lambda way: way.__name__,
)
def test_every_way_to_wait_for_it(way: Callable[[], Coroutine[Any, Any, Any]], run: Callable[..., Any]) -> None:
    assert run(way()) is EVENT


def test_awaiting_it_gives_no_turn_to_others(run: Callable[..., Any]) -> None:
    async def go() -> list[str]:
        seen: list[str] = []
        asyncio.get_running_loop().call_soon(seen.append, "other")
        await finished.of(None)
        await finished.none()
        return list(seen)

    assert run(go()) == []


def test_it_is_a_coroutine_for_those_who_ask() -> None:
    awaitable = finished.of(EVENT)
    assert asyncio.iscoroutine(awaitable)
    assert inspect.isawaitable(awaitable)
    assert isinstance(awaitable, collections.abc.Coroutine)
    assert type(awaitable).__name__ == "Finished"


def test_send_finishes_it_at_once() -> None:
    with pytest.raises(StopIteration) as caught:
        finished.of(EVENT).send(None)
    assert caught.value.value is EVENT


@pytest.mark.parametrize("value", [(1, 2), (), StopIteration("inner"), None, ValueError("a value, not an error")])
def test_a_value_of_any_kind_arrives_as_it_is(value: object, run: Callable[..., Any]) -> None:
    async def go() -> object:
        return await finished.of(value)

    async def in_task() -> object:
        return await asyncio.create_task(finished.of(value))

    assert run(go()) is value
    assert run(in_task()) is value
    with pytest.raises(StopIteration) as caught:
        next(iter(finished.of(value)))
    assert caught.value.value is value


def test_the_value_is_given_once() -> None:
    awaitable = finished.of(EVENT)
    values = []
    for _ in range(2):
        with pytest.raises(StopIteration) as caught:
            awaitable.send(None)
        values.append(caught.value.value)
    assert values == [EVENT, None]


@pytest.mark.parametrize("thrown", [ValueError("x"), ValueError, KeyboardInterrupt, asyncio.CancelledError()])
def test_throwing_into_it_raises_what_was_thrown(thrown: Any) -> None:
    kind = thrown if isinstance(thrown, type) else type(thrown)
    with pytest.raises(kind) as caught:
        finished.of(EVENT).throw(thrown)
    assert thrown in (caught.value, type(caught.value))


def test_throwing_in_the_old_form() -> None:
    with pytest.raises(ValueError, match="why"):
        finished.of(EVENT).throw(ValueError, "why", None)


@pytest.mark.parametrize("arguments", [(), ("text",), (None,), (ValueError, 1, None, 4)])
def test_throwing_what_is_no_exception(arguments: tuple[Any, ...]) -> None:
    with pytest.raises(TypeError):
        finished.of(EVENT).throw(*arguments)


def test_closing_it_drops_the_value() -> None:
    class Value:
        pass

    value = Value()
    gone = weakref.ref(value)
    awaitable = finished.of(value)
    del value
    assert gone() is not None
    awaitable.close()
    awaitable.close()
    assert gone() is None
    with pytest.raises(StopIteration) as caught:
        awaitable.send(None)
    assert caught.value.value is None


def test_one_that_is_never_awaited_says_nothing_and_keeps_nothing(recwarn: pytest.WarningsRecorder) -> None:
    class Value:
        pass

    value = Value()
    gone = weakref.ref(value)
    awaitable = finished.of(value)
    del value, awaitable
    assert gone() is None
    assert not recwarn.list


def test_none_is_one_object_for_all_and_good_for_ever(run: Callable[..., Any]) -> None:
    assert finished.none() is finished.none()

    async def go() -> list[None]:
        return [await finished.none() for _ in range(3)]

    assert run(go()) == [None] * 3
    finished.none().close()
    assert run(go()) == [None] * 3


def test_it_cannot_be_made_by_calling_its_type() -> None:
    with pytest.raises(TypeError):
        type(finished.none())()  # type: ignore[call-arg]


@pytest.mark.parametrize("way", [awaited, delegated], ids=lambda way: way.__name__)
def test_references_are_counted_right(way: Callable[[], Coroutine[Any, Any, Any]]) -> None:
    def drive() -> None:
        for _ in range(100):
            with pytest.raises(StopIteration):
                way().send(None)

    drive()
    gc.collect()
    before = sys.getrefcount(EVENT), sys.getrefcount(type(finished.none()))
    drive()
    gc.collect()
    assert (sys.getrefcount(EVENT), sys.getrefcount(type(finished.none()))) == before
