"""TaskStarter: a coroutine that ends in its first step needs no task of its own; one that waits has one."""

import asyncio
import contextvars
import io
import traceback
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from atlas._speedups.calls.tasks import TaskStarter
from tests._speedups.task_start import VARIABLE, fail, give, run_in_callback, start, turn

# ------------------------------------------------------------------------------------------ what ends in its first step


def test_a_coroutine_that_need_not_wait_needs_no_task(loop: asyncio.AbstractEventLoop, starter: TaskStarter) -> None:
    async def work() -> str:
        VARIABLE.set("inside")
        return "done"

    context = contextvars.copy_context()
    assert start(loop, starter, work(), context) == (None, "done", None)
    assert (context[VARIABLE], VARIABLE.get()) == ("inside", "outside")


@pytest.mark.parametrize("value", [None, (1, 2), StopIteration(3), ValueError("a value")])
def test_any_object_can_be_its_value(loop: asyncio.AbstractEventLoop, starter: TaskStarter, value: object) -> None:
    task, given, error = start(loop, starter, give(value))
    assert (task, error) == (None, None)
    assert given is value


def test_what_it_raised_is_handed_back_as_it_is(loop: asyncio.AbstractEventLoop, starter: TaskStarter) -> None:
    failure = ValueError("no")
    assert start(loop, starter, fail(failure)) == (None, None, failure)
    frames = [frame.name for frame in traceback.extract_tb(failure.__traceback__)]
    assert frames == ["fail"], "neither asyncio nor Atlas"


def test_value_and_error_are_given_once(loop: asyncio.AbstractEventLoop, starter: TaskStarter) -> None:
    start(loop, starter, give(1))
    start(loop, starter, fail(ValueError()))
    assert (starter.take_value(), starter.take_error()) == (None, None)


def test_it_runs_in_a_real_task(loop: asyncio.AbstractEventLoop, starter: TaskStarter) -> None:
    async def work() -> Any:
        task = asyncio.current_task()
        assert task is not None
        return type(task) is asyncio.Task, task in asyncio.all_tasks(), task.get_name(), task.done(), task.cancelling()

    for _ in range(3):
        assert start(loop, starter, work()) == (None, (True, True, "atlas request", False, 0), None)


def test_outside_of_its_first_step_no_task_is_seen(loop: asyncio.AbstractEventLoop, starter: TaskStarter) -> None:
    def look() -> Any:
        starter.start(give(1), contextvars.copy_context())
        assert starter.spare is not None
        return asyncio.current_task(), starter.spare.task in asyncio.all_tasks()

    assert run_in_callback(loop, look) == (None, False)


def test_the_next_one_gets_the_same_task(loop: asyncio.AbstractEventLoop, starter: TaskStarter) -> None:
    async def work() -> int:
        return id(asyncio.current_task())

    first, second = start(loop, starter, work())[1], start(loop, starter, work())[1]
    assert first == second
    assert starter.spare is not None
    assert id(starter.spare.task) == first


def test_an_error_changes_nothing_about_it(loop: asyncio.AbstractEventLoop, starter: TaskStarter) -> None:
    start(loop, starter, fail(ValueError("no")))
    assert starter.spare is not None
    before = id(starter.spare.task)
    assert start(loop, starter, give(2)) == (None, 2, None)
    assert id(starter.spare.task) == before


# -------------------------------------------------------------------------------------------- a task that is not let go

KEPT: list[Any] = []
WEAK: "weakref.WeakSet[Any]" = weakref.WeakSet()


@pytest.fixture(autouse=True)
def nothing_is_kept() -> Iterator[None]:
    yield
    KEPT.clear()
    WEAK.clear()


def keep_weakly_with_a_callback(task: Any) -> None:
    KEPT.append(weakref.ref(task, print))


def keep_among_all(task: Any) -> None:
    KEPT.extend(asyncio.all_tasks())


def keep_a_method(task: Any) -> None:
    KEPT.append(task.cancel)


def set_attribute(task: Any) -> None:
    task.user = "an attribute of the application's"


TOUCHES: list[Callable[[Any], object]] = [
    KEPT.append,
    WEAK.add,
    lambda task: KEPT.append(weakref.ref(task)),
    keep_weakly_with_a_callback,
    keep_among_all,
    keep_a_method,
    lambda task: KEPT.append(task.get_coro()),
    set_attribute,
    lambda task: task.set_name("mine"),
    lambda task: task.add_done_callback(KEPT.append),
]


@pytest.mark.parametrize("touch", TOUCHES)
def test_a_task_that_was_changed_is_not_used_again(
    loop: asyncio.AbstractEventLoop, starter: TaskStarter, touch: Callable[[Any], object]
) -> None:
    async def work() -> int:
        touch(asyncio.current_task())
        return 1

    task, value, error = start(loop, starter, work())
    assert (value, error) == (None, None)
    assert type(task) is asyncio.Task
    assert task.done()
    assert task.result() == 1
    assert starter.spare is None
    assert task not in asyncio.all_tasks(loop)

    async def fresh() -> Any:
        other = asyncio.current_task()
        assert other is not None
        return other is task, other.get_name(), hasattr(other, "user"), other.cancelling()

    assert start(loop, starter, fresh()) == (None, (False, "atlas request", False, 0), None)


@pytest.mark.parametrize("touch", TOUCHES)
def test_a_task_that_was_changed_has_its_error(
    loop: asyncio.AbstractEventLoop, starter: TaskStarter, touch: Callable[[Any], object]
) -> None:
    async def work() -> None:
        touch(asyncio.current_task())
        raise failure

    failure = ValueError("no")
    task, value, error = start(loop, starter, work())
    assert (value, error) == (None, None)
    assert task.exception() is failure
    assert [frame.name for frame in traceback.extract_tb(failure.__traceback__)] == ["work"]


def test_an_error_whose_frames_refer_to_the_task_keeps_it(
    loop: asyncio.AbstractEventLoop, starter: TaskStarter
) -> None:
    async def work() -> None:
        task = asyncio.current_task()
        assert task is not None
        raise failure

    failure = ValueError("no")
    task, _, _ = start(loop, starter, work())
    assert task.exception() is failure


def test_done_callbacks_are_called_in_their_context(loop: asyncio.AbstractEventLoop, starter: TaskStarter) -> None:
    def ended(task: Any) -> None:
        KEPT.append((task, VARIABLE.get()))

    async def work() -> int:
        VARIABLE.set("inside")
        task = asyncio.current_task()
        assert task is not None
        task.add_done_callback(ended)
        return 1

    task, _, _ = start(loop, starter, work())
    turn(loop)
    assert [(task, "inside")] == KEPT


# ------------------------------------------------------------------------------------------------------- one that waits


class Yields:
    """Awaitable; yields one object to the task."""

    def __init__(self, value: object) -> None:
        self.value = value

    def __await__(self) -> Any:
        return (yield self.value)


def test_a_coroutine_that_waits_continues_later(loop: asyncio.AbstractEventLoop, starter: TaskStarter) -> None:
    steps: list[int] = []

    async def work() -> str:
        steps.append(1)
        await asyncio.sleep(0)
        steps.append(2)
        return "done"

    def make() -> Any:
        task = starter.start(work(), contextvars.copy_context())
        assert (steps, task.done(), task in asyncio.all_tasks()) == ([1], False, True)
        return task

    assert loop.run_until_complete(run_in_callback(loop, make)) == "done"
    assert steps == [1, 2]


def test_requests_have_contexts_of_their_own(loop: asyncio.AbstractEventLoop, starter: TaskStarter) -> None:
    async def work(number: int) -> tuple[str, str]:
        before = VARIABLE.get()
        VARIABLE.set(f"request {number}")
        if number % 2:
            await asyncio.sleep(0)
        return before, VARIABLE.get()

    def make() -> list[Any]:
        found = []
        for number in range(6):
            task = starter.start(work(number), contextvars.copy_context())
            found.append(starter.take_value() if task is None else task)
        return found

    found = run_in_callback(loop, make)
    values = [value if isinstance(value, tuple) else loop.run_until_complete(value) for value in found]
    assert values == [("outside", f"request {number}") for number in range(6)]
    assert VARIABLE.get() == "outside"


def test_its_stack_can_be_printed_where_it_waits(loop: asyncio.AbstractEventLoop, starter: TaskStarter) -> None:
    async def inner() -> None:
        await forever

    async def outer() -> None:
        await inner()

    forever = loop.create_future()
    task, _, _ = start(loop, starter, outer())
    printed = io.StringIO()
    task.print_stack(file=printed)
    assert "in outer" in printed.getvalue()
    coroutine = task.get_coro()
    assert coroutine.cr_await.cr_code.co_name == "inner"
    assert coroutine.cr_frame.f_code.co_name == "outer"
    assert repr(coroutine).startswith("<coroutine object")
    assert repr(task).startswith("<Task pending name='atlas request' coro=<")
    assert "wait_for=<Future pending" in repr(task)
    with pytest.raises(AttributeError, match="no_such_name"):
        coroutine.no_such_name  # noqa: B018
    forever.set_result(None)
    loop.run_until_complete(task)
    assert coroutine.cr_frame is None


def test_its_coroutine_can_be_driven_by_hand(loop: asyncio.AbstractEventLoop, starter: TaskStarter) -> None:
    async def work() -> str:
        try:
            return str(await Yields("waits"))
        except KeyError:
            return VARIABLE.get()

    def make(ending: Callable[[Any], Any]) -> Any:
        context = contextvars.copy_context()
        context.run(VARIABLE.set, "inside")
        coroutine = starter.start(work(), context).get_coro()
        return ending(coroutine)

    def sends(coroutine: Any) -> Any:
        with pytest.raises(StopIteration) as stopped:
            coroutine.send("sent")
        return stopped.value.value

    def throws(coroutine: Any) -> Any:
        with pytest.raises(StopIteration) as stopped:
            coroutine.throw(KeyError("thrown"))
        return stopped.value.value

    def closes(coroutine: Any) -> Any:
        return coroutine.close(), coroutine.cr_frame

    loop.set_exception_handler(lambda *_: None)  # its task goes on with what has ended
    assert run_in_callback(loop, lambda: make(sends)) == "sent"
    assert run_in_callback(loop, lambda: make(throws)) == "inside"
    assert run_in_callback(loop, lambda: make(closes)) == (None, None)
    for task in asyncio.all_tasks(loop):
        with pytest.raises(RuntimeError):
            loop.run_until_complete(task)


def test_the_coroutine_of_a_spare_task(loop: asyncio.AbstractEventLoop, starter: TaskStarter) -> None:
    start(loop, starter, give(1))
    assert starter.spare is not None
    coroutine = starter.spare.task.get_coro()
    assert repr(coroutine) == "<FirstStep of no request>"
    assert coroutine.close() is None
    with pytest.raises(KeyError):
        coroutine.throw(KeyError)
    with pytest.raises(KeyError):
        coroutine.throw(KeyError())
    with pytest.raises(TypeError, match="expected an exception to throw"):
        coroutine.throw(3)
    with pytest.raises(TypeError):
        type(coroutine)()


def test_a_closed_loop_drops_waiting_tasks(loop: asyncio.AbstractEventLoop, starter: TaskStarter) -> None:
    seen: list[str] = []

    async def work() -> None:
        try:
            await asyncio.sleep(10)
        finally:
            seen.append("cleaned up")

    task, _, _ = start(loop, starter, work())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        loop.run_until_complete(task)
    assert seen == ["cleaned up"]


# ------------------------------------------------------------------------------------------------------ exit, interrupt


async def know_and_raise(error: BaseException) -> None:
    task = asyncio.current_task()
    assert task is not None
    raise error


@pytest.mark.parametrize("work", [fail, know_and_raise])
def test_an_application_that_exits_has_failed(
    loop: asyncio.AbstractEventLoop, starter: TaskStarter, work: Callable[[BaseException], Any]
) -> None:
    reason = SystemExit(3)
    task, value, error = start(loop, starter, work(reason))
    assert value is None
    assert (error if task is None else task.exception()) is reason
    assert start(loop, starter, give(1)) == (None, 1, None)


@pytest.mark.parametrize("work", [fail, know_and_raise])
def test_an_interrupt_reaches_the_loop(
    loop: asyncio.AbstractEventLoop, starter: TaskStarter, work: Callable[[BaseException], Any]
) -> None:
    reason = KeyboardInterrupt()

    def make() -> None:
        task = starter.start(work(reason), contextvars.copy_context())
        assert (starter.take_error() if task is None else task.exception()) is reason

    with pytest.raises(KeyboardInterrupt):
        run_in_callback(loop, make)
        turn(loop)
