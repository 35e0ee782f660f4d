"""Tasks of requests on event loops of all kinds, and with task factories."""

import asyncio
import contextvars
import gc
import inspect
import sys
import threading
import weakref
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from atlas._speedups.calls.tasks import TaskStarter
from tests._speedups.task_start import VARIABLE, fail, give, run_in_callback, start, turn

# ------------------------------------------------------------------------------------------------------------- the loop


def test_the_loop_has_its_own_call_soon_afterwards(loop: asyncio.AbstractEventLoop, starter: TaskStarter) -> None:
    async def work() -> None:
        loop.call_soon(called.append, 1)

    called: list[int] = []
    start(loop, starter, work())
    turn(loop)
    assert called == [1]
    assert "call_soon" not in vars(loop)


def test_a_call_soon_of_the_applications_stays(loop: asyncio.AbstractEventLoop, starter: TaskStarter) -> None:
    seen: list[Any] = []

    def spy(callback: Any, *args: Any, context: Any = None) -> Any:
        seen.append(callback)
        return type(loop).call_soon(loop, callback, *args, context=context)

    async def work() -> None:
        loop.call_soon(print)

    def make() -> None:
        loop.call_soon = spy  # type: ignore[method-assign]
        starter.start(work(), contextvars.copy_context())
        assert loop.call_soon is spy

    run_in_callback(loop, make)
    assert print in seen


class Slots:
    """A loop without attributes of its own."""

    __slots__ = ("inner",)

    def __init__(self, inner: asyncio.AbstractEventLoop) -> None:
        self.inner = inner

    def __getattr__(self, name: str) -> Any:
        if name == "__dict__":
            raise AttributeError(name)
        return getattr(self.inner, name)


class Fixed(asyncio.SelectorEventLoop):
    """A loop whose ``call_soon`` can't be stood in for."""

    @property
    def call_soon(self) -> Any:  # type: ignore[override]
        return super().call_soon


def test_a_loop_without_attributes_makes_the_tasks(loop: asyncio.AbstractEventLoop) -> None:
    starter = TaskStarter(Slots(loop), asyncio.Task)
    task, _, _ = start(loop, starter, give("later"))
    assert loop.run_until_complete(task) == "later"
    assert starter.spare is None


def test_a_loop_whose_call_soon_cannot_be_caught_makes_the_tasks() -> None:
    loop = Fixed()
    try:
        starter = TaskStarter(loop, asyncio.Task)
        for _ in range(2):
            task, _, _ = start(loop, starter, give("later"))
            assert loop.run_until_complete(task) == "later"
        turn(loop, 2)
        assert starter.spare is None
        assert asyncio.all_tasks(loop) == set()
    finally:
        loop.close()


def test_within_another_task_the_loop_makes_the_task(loop: asyncio.AbstractEventLoop, starter: TaskStarter) -> None:
    async def work() -> Any:
        return asyncio.current_task()

    async def drive() -> None:
        outer = asyncio.current_task()
        task = starter.start(work(), contextvars.copy_context())
        assert asyncio.current_task() is outer
        assert await task is task is not outer

    loop.run_until_complete(drive())


def test_a_request_may_start_another(loop: asyncio.AbstractEventLoop, starter: TaskStarter) -> None:
    async def outer() -> Any:
        return starter.start(inner(), contextvars.copy_context()), asyncio.current_task()

    async def inner() -> Any:
        return asyncio.current_task()

    task, _, _ = start(loop, starter, outer())
    other, current = task.result()
    assert current is task
    assert loop.run_until_complete(other) is other is not task


def test_a_request_may_close_what_started_it(loop: asyncio.AbstractEventLoop, starter: TaskStarter) -> None:
    async def work() -> str:
        starter.close()
        await asyncio.sleep(0)
        return "done"

    async def drive(task: Any) -> Any:
        return await task

    assert loop.run_until_complete(drive(start(loop, starter, work())[0])) == "done"


def test_a_coroutine_is_closed_when_no_task_can_be_made(loop: asyncio.AbstractEventLoop) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise MemoryError

    coroutine = give(1)
    with pytest.raises(MemoryError):
        start(loop, TaskStarter(loop, broken), coroutine)  # type: ignore[arg-type]
    assert inspect.getcoroutinestate(coroutine) == inspect.CORO_CLOSED
    assert "call_soon" not in vars(loop)


def test_two_loops_in_two_threads() -> None:
    failures: list[BaseException] = []

    async def work(number: int) -> tuple[int, str, bool]:
        VARIABLE.set(str(number))
        known = asyncio.current_task() in asyncio.all_tasks()
        if number % 7 == 0:
            await asyncio.sleep(0)
        return number, VARIABLE.get(), known

    async def serve() -> None:
        loop = asyncio.get_running_loop()
        starter = TaskStarter(loop, asyncio.Task)
        for number in range(2000):
            done = loop.create_future()
            loop.call_soon(
                lambda done=done, number=number: done.set_result(
                    (starter.start(work(number), contextvars.copy_context()), starter.take_value())
                )
            )
            task, value = await done
            if task is not None:
                value = await task
            assert value == (number, str(number), True)

    def run() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_spare_task_neither_delays_the_end_nor_is_reported_as_pending(capfd: pytest.CaptureFixture[str]) -> None:
    kept: list[Any] = []
    reported: list[Any] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: reported.append(context))
        starter = TaskStarter(loop, asyncio.Task)
        done = loop.create_future()
        loop.call_soon(lambda: done.set_result(starter.start(give(1), contextvars.copy_context())))
        assert await done is None
        assert starter.spare is not None
        kept.append(starter)

    asyncio.run(main())
    kept.clear()
    gc.collect()
    assert reported == []
    assert capfd.readouterr().err == ""


# --------------------------------------------------------------------------------------------------------- task factory


class Recorder:
    """A task factory that keeps what it was asked for."""

    def __init__(self) -> None:
        self.made: list[Any] = []

    def __call__(self, loop: Any, coroutine: Any, **options: Any) -> Any:
        task = asyncio.Task(coroutine, loop=loop, **options)
        self.made.append(task)
        return task


def test_a_task_factory_makes_the_tasks(loop: asyncio.AbstractEventLoop, starter: TaskStarter) -> None:
    async def work() -> Any:
        VARIABLE.set("inside")
        return asyncio.current_task()

    assert start(loop, starter, give(1)) == (None, 1, None)
    loop.set_task_factory(factory := Recorder())
    context = contextvars.copy_context()
    task, _, _ = start(loop, starter, work(), context)
    assert factory.made == [task]
    assert loop.run_until_complete(task) is task
    assert task.get_name() == "atlas request"
    assert context[VARIABLE] == "inside"

    loop.set_task_factory(None)
    assert start(loop, starter, give(2)) == (None, 2, None)


def test_a_task_factory_may_take_the_loop_and_the_coroutine_only(
    loop: asyncio.AbstractEventLoop, starter: TaskStarter
) -> None:
    if not isinstance(loop, asyncio.BaseEventLoop):
        pytest.skip("uvloop passes a context to any task factory")

    def factory(loop: Any, coroutine: Any) -> Any:
        made.append(coroutine)
        return asyncio.Task(coroutine, loop=loop)

    made: list[Any] = []
    loop.set_task_factory(factory)  # type: ignore[arg-type]
    context = contextvars.copy_context()
    context.run(VARIABLE.set, "inside")

    async def work() -> str:
        return VARIABLE.get()

    coroutine = work()
    task, _, _ = start(loop, starter, coroutine, context)
    assert loop.run_until_complete(task) == "inside"
    assert made == [coroutine]


@pytest.mark.skipif(sys.version_info < (3, 12), reason="asyncio.eager_task_factory is of Python 3.12")
def test_the_eager_task_factory(loop: asyncio.AbstractEventLoop, starter: TaskStarter) -> None:
    async def work() -> str:
        VARIABLE.set("inside")
        return "done"

    loop.set_task_factory(asyncio.eager_task_factory)
    coroutine = give(1)
    try:
        assert loop.run_until_complete(loop.create_task(coroutine)) == 1
    except TypeError:
        coroutine.close()
        pytest.skip("this uvloop passes arguments that this Python's factory doesn't take")
    context = contextvars.copy_context()
    task, _, _ = start(loop, starter, work(), context)
    assert task.done()
    assert task.result() == "done"
    assert context[VARIABLE] == "inside"

    reason = SystemExit(3)
    assert start(loop, starter, fail(reason)) == (None, None, reason)


# ------------------------------------------------------------------------------------------------------ nothing is left


KNOWN: "weakref.WeakSet[Any]" = weakref.WeakSet()
LOCAL: contextvars.ContextVar["Local"] = contextvars.ContextVar("local")


class Local:
    """Something of a request's that can be watched."""


async def ends(local: Local) -> None:
    pass


async def ends_badly(local: Local) -> None:
    raise ValueError("no")


async def waits(local: Local) -> None:
    await asyncio.sleep(0)


async def waits_and_fails(local: Local) -> None:
    await asyncio.sleep(0)
    raise ValueError("no")


async def is_touched(local: Local) -> None:
    KNOWN.add(asyncio.current_task())


async def is_cancelled(local: Local) -> None:
    asyncio.current_task().cancel()  # type: ignore[union-attr]
    await asyncio.sleep(10)


@pytest.mark.parametrize("work", [ends, ends_badly, waits, waits_and_fails, is_touched, is_cancelled])
def test_nothing_of_a_request_stays(
    loop: asyncio.AbstractEventLoop, starter: TaskStarter, work: Callable[[Local], Coroutine[Any, Any, None]]
) -> None:
    def started(coroutine: Any, context: contextvars.Context) -> Any:
        task, _, error = start(loop, starter, coroutine, context)
        return task, error

    def real(coroutine: Any, context: contextvars.Context) -> Any:
        return loop.create_task(coroutine, context=context), None

    def stays(start: Any) -> bool:
        def once() -> list[Any]:
            local, of_the_context = Local(), Local()
            context = contextvars.copy_context()
            context.run(LOCAL.set, of_the_context)
            task, error = start(work(local), context)
            if task is not None:
                loop.run_until_complete(asyncio.wait([task]))
                error = None if task.cancelled() else task.exception()
            if error is not None:
                error.__traceback__ = None
            return [weakref.ref(local), weakref.ref(of_the_context)]

        references = once()
        turn(loop)
        return any(reference() is not None for reference in references)

    gc.collect()
    gc.disable()
    try:
        # Python 3.12 and newer keep frames of a failed task themselves until the collector runs.
        assert not stays(started) or (sys.version_info >= (3, 12) and stays(real))
    finally:
        gc.enable()
