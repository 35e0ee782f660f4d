"""A coroutine can't tell a request's task from one that ``loop.create_task`` makes: each runs in both."""

import asyncio
import contextvars
import inspect
import re
from collections.abc import Callable, Coroutine
from typing import Any

import anyio
import pytest
import sniffio

from atlas._speedups.calls.tasks import TaskStarter
from tests._speedups.task_start import VARIABLE, fail, give, run_in_callback, start, turn

Log = list[Any]
Scenario = Callable[[Log], Coroutine[Any, Any, Any]]


class Stubborn(asyncio.Future[Any]):
    """A future that can't be cancelled."""

    def cancel(self, msg: Any = None) -> bool:
        return False


class Pythonic:
    """A future that isn't one of asyncio's."""

    _asyncio_future_blocking = False

    def __init__(self) -> None:
        self.inner = asyncio.get_running_loop().create_future()

    def __await__(self) -> Any:
        self._asyncio_future_blocking = True
        yield self
        return self.inner.result()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


class Yields:
    """Awaitable; yields one object to the task."""

    def __init__(self, value: object) -> None:
        self.value = value

    def __await__(self) -> Any:
        return (yield self.value)


async def waits_for_a_future(log: Log) -> str:
    future = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(future.set_result, "result")
    log.append(await future)
    return "done"


async def waits_for_a_failure(log: Log) -> None:
    future = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(future.set_exception, ValueError("failed"))
    try:
        await future
    except ValueError as error:
        log.append(error.args)
        raise KeyError("other") from error


async def waits_for_a_future_of_python(log: Log) -> None:
    future = Pythonic()
    asyncio.get_running_loop().call_soon(future.inner.set_result, "result")
    log.append(await future)


async def sleeps(log: Log) -> str:
    for number in range(3):
        await asyncio.sleep(0)
        log.append(number)
    await asyncio.sleep(0.001)
    return "done"


async def yields_what_is_no_future(log: Log) -> None:
    try:
        await Yields("a word")
    except RuntimeError as error:
        log.append("a word" in str(error))
    await asyncio.sleep(0)
    log.append("went on")


async def yields_without_waiting(log: Log) -> None:
    await Yields(asyncio.get_running_loop().create_future())


async def waits_for_itself(log: Log) -> None:
    task = asyncio.current_task()
    assert task is not None
    try:
        await task
    except RuntimeError as error:
        log.append("Task cannot await on itself" in str(error))


async def cancels_itself_and_returns(log: Log) -> str:
    asyncio.current_task().cancel("why")  # type: ignore[union-attr]
    return "done"


async def changes_its_mind_and_returns(log: Log) -> str:
    asyncio.current_task().cancel("why")  # type: ignore[union-attr]
    asyncio.current_task().uncancel()  # type: ignore[union-attr]
    return "done"


async def cancels_itself_and_raises(log: Log) -> None:
    asyncio.current_task().cancel("why")  # type: ignore[union-attr]
    raise ValueError("first")


async def raises_a_cancellation(log: Log) -> None:
    raise asyncio.CancelledError("mine")


def cancels_itself_and(awaits: Callable[[], Any], times: int = 1, uncancels: int = 0) -> Scenario:
    async def scenario(log: Log) -> str:
        task = asyncio.current_task()
        assert task is not None
        for _ in range(times):
            task.cancel("why")
        for _ in range(uncancels):
            task.uncancel()
        awaited = awaits()
        asyncio.get_running_loop().call_later(0.001, lambda: getattr(awaited, "set_result", print)())
        try:
            log.append(("result", await awaited))
        except asyncio.CancelledError as error:
            log.append(("cancelled", error.args, task.cancelling()))
        await asyncio.sleep(0)
        log.append(task.cancelling())
        return "done"

    return scenario


def stubborn() -> Any:
    future = Stubborn(loop=asyncio.get_running_loop())
    asyncio.get_running_loop().call_soon(future.set_result, "result")
    return future


def failing() -> Any:
    future = Stubborn(loop=asyncio.get_running_loop())
    asyncio.get_running_loop().call_soon(future.set_exception, ValueError("failed"))
    return future


async def is_cancelled_where_it_waits(log: Log) -> None:
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().call_soon(task.cancel, "from outside")
    try:
        await asyncio.get_running_loop().create_future()
    finally:
        await asyncio.sleep(0)
        log.append(("cleaned up", task.cancelling()))


async def outlives_a_cancellation(log: Log) -> str:
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().call_soon(task.cancel)
    try:
        await asyncio.sleep(10)
    except asyncio.CancelledError:
        log.append(task.uncancel())
    await asyncio.sleep(0)
    return "alive"


async def times_out(log: Log) -> None:
    try:
        async with asyncio.timeout(0.001):
            await asyncio.sleep(10)
    except TimeoutError:
        log.append(asyncio.current_task().cancelling())  # type: ignore[union-attr]
    async with asyncio.timeout(10):
        log.append("in time")


async def has_timed_out_already(log: Log) -> None:
    try:
        async with asyncio.timeout(0):
            await asyncio.sleep(10)
    except TimeoutError:
        log.append("timed out")
    await asyncio.wait_for(asyncio.sleep(0), 1)


async def has_a_task_group(log: Log) -> None:
    async def child(number: int) -> None:
        log.append((number, VARIABLE.get()))
        if number == 2:
            raise ValueError("child")

    VARIABLE.set("parent")
    try:
        async with asyncio.TaskGroup() as group:
            for number in range(3):
                group.create_task(child(number))
    except* ValueError as errors:
        log.append(len(errors.exceptions))


async def has_scopes_of_anyio(log: Log) -> None:
    log.append(sniffio.current_async_library())
    with anyio.move_on_after(0.001) as scope:
        await anyio.sleep_forever()
    log.append(scope.cancelled_caught)
    with anyio.CancelScope() as scope:
        scope.cancel()
        await anyio.sleep(10)
    log.append((scope.cancelled_caught, asyncio.current_task().cancelling()))  # type: ignore[union-attr]
    try:
        with anyio.fail_after(0):
            await anyio.sleep(10)
    except TimeoutError:
        log.append("failed after")


async def has_a_task_group_of_anyio(log: Log) -> None:
    async def child(name: str) -> None:
        await anyio.sleep(0)
        log.append(name)

    async with anyio.create_task_group() as group:
        group.start_soon(child, "a")
        group.start_soon(child, "b")
    async with anyio.create_task_group() as group:
        group.start_soon(anyio.sleep_forever)
        group.cancel_scope.cancel()
    log.append(await anyio.to_thread.run_sync(VARIABLE.get))
    log.append(anyio.get_current_task().name)


async def leaves_scopes_at_once(log: Log) -> str:
    with anyio.CancelScope(), anyio.fail_after(5):
        async with asyncio.timeout(5):
            return "done"


async def changes_its_context(log: Log) -> None:
    token = VARIABLE.set("first")
    await asyncio.sleep(0)
    log.append(VARIABLE.get())
    VARIABLE.set("second")
    asyncio.get_running_loop().call_soon(lambda: log.append(VARIABLE.get()))
    await asyncio.sleep(0)
    VARIABLE.reset(token)
    await asyncio.sleep(0)
    log.append(VARIABLE.get())


async def is_named(log: Log) -> None:
    task = asyncio.current_task()
    assert task is not None
    task.set_name("mine")
    await asyncio.sleep(0)
    log.append((task is asyncio.current_task(), task in asyncio.all_tasks(), task.get_name()))


async def is_followed(log: Log) -> str:
    asyncio.current_task().add_done_callback(lambda task: log.append(task.result()))  # type: ignore[union-attr]
    await asyncio.sleep(0)
    return "done"


async def ends_as_a_generator(log: Log) -> None:
    await asyncio.sleep(0)
    raise GeneratorExit


async def is_looked_at(log: Log) -> None:
    task = asyncio.current_task()
    assert task is not None
    coroutine: Any = task.get_coro()
    for _ in range(2):
        log.append((coroutine.__name__, coroutine.__qualname__, coroutine.cr_code.co_name, coroutine.cr_running))
        log.append((asyncio.iscoroutine(coroutine), inspect.getcoroutinestate(coroutine)))
        log.append(task.get_stack()[-1].f_code.co_name)
        log.append("is_looked_at() running at" in repr(task))
        await asyncio.sleep(0)


SCENARIOS: list[Scenario] = [
    lambda log: give("at once"),
    lambda log: fail(ValueError("at once")),
    lambda log: fail(GeneratorExit()),
    lambda log: fail(StopIteration()),
    lambda log: fail(StopAsyncIteration()),
    waits_for_a_future,
    waits_for_a_failure,
    waits_for_a_future_of_python,
    sleeps,
    yields_what_is_no_future,
    yields_without_waiting,
    waits_for_itself,
    cancels_itself_and_returns,
    changes_its_mind_and_returns,
    cancels_itself_and_raises,
    raises_a_cancellation,
    cancels_itself_and(lambda: asyncio.sleep(10)),
    cancels_itself_and(lambda: asyncio.sleep(0)),
    cancels_itself_and(lambda: asyncio.sleep(0), times=2),
    cancels_itself_and(lambda: asyncio.sleep(0.001), times=2, uncancels=1),
    cancels_itself_and(lambda: asyncio.sleep(0), uncancels=1),
    cancels_itself_and(lambda: asyncio.sleep(0.001), times=2, uncancels=2),
    cancels_itself_and(stubborn),
    cancels_itself_and(failing),
    cancels_itself_and(lambda: Yields("a word")),
    cancels_itself_and(lambda: asyncio.shield(asyncio.sleep(0.001))),
    cancels_itself_and(lambda: asyncio.gather(asyncio.sleep(10), asyncio.sleep(10))),
    is_cancelled_where_it_waits,
    outlives_a_cancellation,
    times_out,
    has_timed_out_already,
    has_a_task_group,
    has_scopes_of_anyio,
    has_a_task_group_of_anyio,
    leaves_scopes_at_once,
    changes_its_context,
    is_named,
    is_followed,
    ends_as_a_generator,
    is_looked_at,
]


def ending_of(task: Any) -> tuple[Any, ...]:
    if task.cancelled():
        try:
            task.result()
        except asyncio.CancelledError as error:
            return ("cancelled", error.args)
    error = task.exception()
    return ("value", task.result()) if error is None else failure(error)


def failure(error: BaseException) -> tuple[Any, ...]:
    """An exception without the places that asyncio's debug mode (``-X dev``) names in its messages."""
    arguments = [re.sub(r" created at [^ >]+", "", str(argument)) for argument in error.args]
    return ("error", type(error), arguments, repr(error.__cause__))


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("used_before", [False, True], ids=["new", "used"])
def test_it_ends_as_in_a_task_of_the_loop(
    loop: asyncio.AbstractEventLoop, starter: TaskStarter, scenario: Scenario, used_before: bool
) -> None:
    def real() -> Any:
        coroutine = scenario(real_log)
        return loop.create_task(coroutine, context=contextvars.copy_context(), name="atlas request")

    real_log: Log = []
    log: Log = []
    task = run_in_callback(loop, real)
    loop.run_until_complete(asyncio.wait([task]))
    if used_before:
        start(loop, starter, give(0))
    own, value, error = start(loop, starter, scenario(log))
    if own is None:
        ending = ("value", value) if error is None else failure(error)
    else:
        loop.run_until_complete(asyncio.wait([own]))
        ending = ending_of(own)
    while others := asyncio.all_tasks(loop):
        loop.run_until_complete(asyncio.wait(others))
    turn(loop, 2)
    assert log == real_log
    assert ending == ending_of(task)
    assert own not in asyncio.all_tasks(loop)
    assert start(loop, starter, give("next")) == (None, "next", None)
