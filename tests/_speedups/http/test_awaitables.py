"""What ``receive`` and ``send`` return behaves as a coroutine, and most of the time as one that never had to wait."""

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

from tests.compiled import awaitables as finished

EVENT: dict[str, Any] = {"type": "http.request", "body": b"", "more_body": False}


class Source:
    """A source that has an event at once, or after ``turns`` of the loop; counts how often it is taken."""

    def __init__(self, event: Any = EVENT, turns: int = 0) -> None:
        self.event = event
        self.turns = turns
        self.taken = 0
        self.ended = False

    def take_event(self) -> Any:
        if self.turns:
            return None
        self.taken += 1
        return self.event

    async def receive_later(self) -> Any:
        try:
            for _ in range(self.turns):
                await asyncio.sleep(0)
        finally:
            self.ended = True
        self.taken += 1
        return self.event


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Callable[[Coroutine[Any, Any, Any]], Any]:
    """Runs a coroutine on each kind of loop."""
    factory = uvloop.new_event_loop if request.param == "uvloop" else asyncio.new_event_loop

    def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
        with asyncio.Runner(loop_factory=factory) as runner:
            return runner.run(coroutine)

    return run


# ------------------------------------------------------------------------------------------------- ways to await it


async def awaited(source: Source) -> Any:
    return await finished.of(source)


async def task(source: Source) -> Any:
    return await asyncio.create_task(finished.of(source))


async def future(source: Source) -> Any:
    return await asyncio.ensure_future(finished.of(source))


async def gathered(source: Source) -> Any:
    return (await asyncio.gather(finished.none(), finished.of(source), finished.none()))[1]


async def waited_for(source: Source) -> Any:
    return await asyncio.wait_for(finished.of(source), 10)


async def under_a_timeout(source: Source) -> Any:
    async with asyncio.timeout(10):
        return await finished.of(source)


async def in_a_group(source: Source) -> Any:
    async with asyncio.TaskGroup() as group:
        made = group.create_task(finished.of(source))
    return made.result()


async def shielded(source: Source) -> Any:
    return await asyncio.shield(finished.of(source))


async def delegated(source: Source) -> Any:
    class Wrapped:
        def __await__(self) -> Any:
            return (yield from finished.of(source).__await__())

    return await Wrapped()


AWAITERS = [awaited, task, future, gathered, waited_for, under_a_timeout, in_a_group, shielded, delegated]


@pytest.mark.parametrize("turns", [0, 1, 3])
@pytest.mark.parametrize("way", AWAITERS, ids=lambda way: way.__name__)
def test_each_way_to_await_it(way: Callable[[Source], Any], run: Callable[..., Any], turns: int) -> None:
    source = Source(turns=turns)
    assert run(way(source)) is EVENT
    assert source.taken == 1


def test_awaiting_what_is_there_gives_no_turn_to_others(run: Callable[..., Any]) -> None:
    async def go() -> list[str]:
        seen: list[str] = []
        asyncio.get_running_loop().call_soon(seen.append, "other")
        await finished.of(Source())
        await finished.none()
        return list(seen)

    assert run(go()) == []


def test_it_is_a_coroutine_for_inspect() -> None:
    awaitable = finished.of(Source())
    assert asyncio.iscoroutine(awaitable)
    assert inspect.isawaitable(awaitable)
    assert isinstance(awaitable, collections.abc.Coroutine)
    assert type(awaitable).__name__ == "Finished"


@pytest.mark.parametrize("value", [(1, 2), (), StopIteration("inner"), ValueError("a value, not an error"), 0, ""])
def test_a_value_of_any_kind_arrives_as_it_is(value: object, run: Callable[..., Any]) -> None:
    assert run(awaited(Source(value))) is value
    assert run(task(Source(value))) is value
    with pytest.raises(StopIteration) as caught:
        next(iter(finished.of(Source(value))))
    assert caught.value.value is value


def test_none_is_one_object_for_all_and_good_for_ever(run: Callable[..., Any]) -> None:
    assert finished.none() is finished.none()

    async def go() -> list[None]:
        return [await finished.none() for _ in range(3)]  # type: ignore[func-returns-value]

    assert run(go()) == [None] * 3
    finished.none().close()
    assert run(go()) == [None] * 3


# ---------------------------------------------------------------------------------------------- nothing taken too early


def test_nothing_is_taken_before_it_is_awaited(recwarn: pytest.WarningsRecorder) -> None:
    source = Source()
    awaitable = finished.of(source)
    assert source.taken == 0
    del awaitable
    assert source.taken == 0
    assert not recwarn.list, "and one that is never awaited says nothing"


@pytest.mark.parametrize("turns", [0, 2])
def test_a_task_that_is_cancelled_before_its_first_step_has_taken_nothing(run: Callable[..., Any], turns: int) -> None:
    source = Source(turns=turns)

    async def go() -> None:
        made = asyncio.create_task(finished.of(source))
        made.cancel()
        await asyncio.wait([made])
        assert made.cancelled()

    run(go())
    assert (source.taken, source.ended) == (0, False)


def test_a_task_that_is_cancelled_while_it_waits_ends_the_waiting(run: Callable[..., Any]) -> None:
    source = Source(turns=1000)

    async def go() -> None:
        made = asyncio.create_task(finished.of(source))
        await asyncio.sleep(0)
        made.cancel()
        await asyncio.wait([made])
        assert made.cancelled()

    run(go())
    assert (source.taken, source.ended) == (0, True)


def test_the_value_is_given_once() -> None:
    awaitable = finished.of(Source())
    with pytest.raises(StopIteration) as caught:
        awaitable.send(None)
    assert caught.value.value is EVENT
    with pytest.raises(RuntimeError, match="awaited already"):
        awaitable.send(None)


def test_an_error_of_the_source_is_raised_where_it_is_awaited(run: Callable[..., Any]) -> None:
    class Broken(Source):
        def take_event(self) -> Any:
            raise ZeroDivisionError

    class BrokenLater(Source):
        def receive_later(self) -> Any:
            raise ZeroDivisionError

    for source in (Broken(), BrokenLater(turns=1)):
        with pytest.raises(ZeroDivisionError):
            run(awaited(source))


# ------------------------------------------------------------------------------------------------- throwing and closing


@pytest.mark.parametrize("thrown", [ValueError("x"), ValueError, KeyboardInterrupt, asyncio.CancelledError()])
def test_throwing_into_it_raises_what_was_thrown(thrown: Any) -> None:
    kind = thrown if isinstance(thrown, type) else type(thrown)
    source = Source()
    with pytest.raises(kind) as caught:
        finished.of(source).throw(thrown)
    assert thrown in (caught.value, type(caught.value))
    assert source.taken == 0


def test_throwing_while_it_waits_is_thrown_there() -> None:
    source = Source(turns=5)
    awaitable = finished.of(source)
    assert awaitable.send(None) is None
    with pytest.raises(KeyError):
        awaitable.throw(KeyError("x"))
    assert source.ended


def test_throwing_in_the_old_form() -> None:
    with pytest.raises(ValueError, match="why"):
        finished.of(Source()).throw(ValueError, "why", None)


@pytest.mark.parametrize("arguments", [(), ("text",), (None,), (ValueError, 1, None, 4)])
def test_throwing_what_is_no_exception(arguments: tuple[Any, ...]) -> None:
    with pytest.raises(TypeError):
        finished.of(Source()).throw(*arguments)


@pytest.mark.parametrize("turns", [0, 5])
def test_closing_it_lets_go_of_everything(turns: int) -> None:
    source = Source(turns=turns)
    gone = weakref.ref(source)
    awaitable = finished.of(source)
    if turns:
        awaitable.send(None)
    del source
    assert gone() is not None
    awaitable.close()
    awaitable.close()
    assert gone() is None


def test_it_cannot_be_made_by_calling_its_type() -> None:
    with pytest.raises(TypeError):
        type(finished.none())()


def test_a_cycle_through_it_is_found() -> None:
    source = Source()
    gone = weakref.ref(source)
    source.event = finished.of(source)
    del source
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize("turns", [0, 2])
@pytest.mark.parametrize("way", [awaited, delegated], ids=lambda way: way.__name__)
def test_references_are_counted_right(way: Callable[[Source], Coroutine[Any, Any, Any]], turns: int) -> None:
    def drive() -> None:
        for _ in range(100):
            coroutine = way(Source(turns=turns))
            with pytest.raises(StopIteration):
                while True:
                    coroutine.send(None)

    drive()
    gc.collect()
    before = sys.getrefcount(EVENT), sys.getrefcount(type(finished.none()))
    drive()
    gc.collect()
    assert (sys.getrefcount(EVENT), sys.getrefcount(type(finished.none()))) == before
