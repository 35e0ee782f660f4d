"""The pool below ``await_``: what is used again, what is not, and what Python code cannot break."""

import asyncio
import gc
import subprocess
import sys
import weakref
from collections.abc import Callable
from contextvars import ContextVar, copy_context
from typing import Any

import pytest
from greenlet import GreenletExit, getcurrent, greenlet

from atlas._speedups.calls import greenlets as compiled
from atlas._speedups.calls.greenlets import GreenletPool, PooledGreenlet, parent_of_current

name: ContextVar[str] = ContextVar("name", default="unset")


def wait(awaitable: object) -> Any:
    return parent_of_current().switch(awaitable)


def run(pool: GreenletPool, function: Callable[..., Any], *args: Any) -> Any:
    """The result of a call; whatever it waits for is answered with itself."""
    call = pool.begin(function, args)
    while not call.done:
        call.resume(call.next_awaitable())
    return pool.finish(call)


@pytest.fixture
def pool() -> GreenletPool:
    return GreenletPool()


def test_a_call_that_does_not_wait_is_done_at_once(pool: GreenletPool) -> None:
    call = pool.begin(divmod, (7, 2))
    assert call.done
    assert pool.finish(call) == (3, 1)


def test_a_call_may_have_keywords(pool: GreenletPool) -> None:
    assert pool.finish(pool.begin(int, ("11",), {"base": 2})) == 3


def test_a_call_waits_as_often_as_it_likes(pool: GreenletPool) -> None:
    assert run(pool, lambda: [wait("a"), wait(("b", "c")), wait(None)]) == ["a", ("b", "c"), None]


def test_it_waits_for_sqlalchemy_as_well(pool: GreenletPool) -> None:
    """``await_only`` of SQLAlchemy looks for the mark and switches to the parent by itself."""

    def await_only() -> Any:
        assert getattr(getcurrent(), "__sqlalchemy_greenlet_provider__", False)
        return getcurrent().parent.switch("awaitable")

    assert run(pool, await_only) == "awaitable"


def test_a_greenlet_inside_of_a_call_has_its_own_parent(pool: GreenletPool) -> None:
    """Only the greenlet of the call itself may wait; one that the call makes is not known to what awaits."""
    assert run(pool, lambda: greenlet(parent_of_current).switch()) is None
    assert parent_of_current() is None


def test_greenlets_are_used_again_up_to_the_limit(pool: GreenletPool) -> None:
    small = GreenletPool(2)
    calls = [small.begin(wait, (number,)) for number in range(3)]
    used = {id(call.greenlet) for call in calls}
    assert len(used) == 3
    for call in calls:
        call.resume("x")
        assert small.finish(call) == "x"
    assert small.idle_count == 2
    assert id(run(small, getcurrent)) in used
    assert small.idle_count == 2


@pytest.mark.parametrize("max_idle", [0, -1])
def test_without_idle_greenlets_a_greenlet_ends_with_its_call(max_idle: int) -> None:
    pool = GreenletPool(max_idle)
    call = pool.begin(wait, (1,))
    call.resume(1)
    assert call.done
    assert call.greenlet.dead
    assert pool.finish(call) == 1
    assert pool.idle_count == 0


def test_many_idle_ones_end_with_their_pool() -> None:
    pool = GreenletPool(5000)
    calls = [pool.begin(wait, (None,)) for _ in range(5000)]
    ends = [weakref.ref(call.greenlet) for call in calls]
    while calls:
        calls[-1].resume(None)
        pool.finish(calls.pop())
    assert pool.idle_count == 5000
    del pool
    assert not any(end() for end in ends)


def test_a_call_that_is_dropped_while_it_waits_is_made_to_exit(pool: GreenletPool) -> None:
    seen: list[Any] = []

    def abandoned() -> None:
        seen.append(weakref.ref(getcurrent()))
        try:
            wait(None)
        except GreenletExit:
            seen.append(parent_of_current())
            raise

    gc.disable()
    try:
        pool.begin(abandoned, ())
        assert seen[1:] == [None]  # and it can't wait any more
        assert seen[0]() is None
    finally:
        gc.enable()
    assert pool.idle_count == 0


@pytest.mark.parametrize("stubborn", [True, False])
def test_a_call_that_is_dropped_ends_whatever_it_makes_of_it(pool: GreenletPool, stubborn: bool) -> None:
    seen: list[weakref.ref[Any]] = []

    def abandoned() -> None:
        seen.append(weakref.ref(getcurrent()))
        try:
            wait(None)
        except GreenletExit:
            if not stubborn:
                raise KeyError from None

    gc.disable()
    try:
        pool.begin(abandoned, ())
        assert seen[0]() is None
    finally:
        gc.enable()


def test_one_that_was_made_to_exit_gives_no_result(pool: GreenletPool) -> None:
    def leave() -> None:
        raise GreenletExit

    call = pool.begin(leave, ())
    with pytest.raises(RuntimeError, match="ended before its call was done"):
        call.next_awaitable()
    with pytest.raises(RuntimeError, match="expected a call that is done"):
        pool.finish(call)
    assert run(pool, lambda: 1) == 1


def test_what_is_thrown_is_raised_where_it_waits(pool: GreenletPool) -> None:
    def work() -> str:
        try:
            wait(None)
        except KeyError as error:
            return str(wait(error))
        raise AssertionError("nothing was raised")

    error = KeyError("thrown")
    call = pool.begin(work, ())
    call.throw(error)
    assert call.next_awaitable() is error
    call.resume("went on")
    assert pool.finish(call) == "went on"


def test_an_exception_comes_back_without_a_frame_of_the_loop(pool: GreenletPool) -> None:
    def fail() -> None:
        raise KeyError("inside")

    with pytest.raises(KeyError, match="inside") as caught:
        pool.finish(pool.begin(fail, ()))
    assert caught.traceback[-1].name == "fail"
    assert "carry_out" not in [entry.name.rpartition(".")[2] for entry in caught.traceback]
    assert pool.idle_count == 1


def test_the_recursion_limit_is_kept_and_recovered_from(pool: GreenletPool) -> None:
    def deep(levels: int) -> int:
        return 1 + deep(levels - 1) if levels else 0

    with pytest.raises(RecursionError):
        run(pool, deep, 10 * sys.getrecursionlimit())
    half = sys.getrecursionlimit() // 2
    assert run(pool, deep, half) == half


def test_the_context_is_that_of_the_caller_and_none_stays(pool: GreenletPool) -> None:
    def change(value: str) -> str:
        before = name.get()
        name.set(value)
        wait(None)
        return before

    context = copy_context()
    assert context.run(run, pool, change, "first") == "unset"
    assert context.run(run, pool, change, "second") == "first"
    assert context[name] == "second"
    assert copy_context().run(run, pool, name.get) == "unset"


def test_a_call_goes_on_where_it_is_resumed(pool: GreenletPool) -> None:
    """Begun in one greenlet and resumed in another, it comes back to the one that resumed it."""
    outer: list[PooledGreenlet] = []

    def begin() -> None:
        outer.append(pool.begin(wait, ("inner",)))

    run(pool, begin)
    assert outer[0].next_awaitable() == "inner"
    outer[0].resume("value")
    assert outer[0].done
    assert pool.finish(outer[0]) == "value"


def test_pools_inside_of_each_other() -> None:
    pool = GreenletPool()

    def level(number: int) -> list[Any]:
        return [wait(number), *(run(pool, level, number - 1) if number else ())]

    assert run(pool, level, 20) == list(range(20, -1, -1))
    assert pool.idle_count == 21


def test_a_greenlet_stays_in_its_thread(pool: GreenletPool) -> None:
    run(pool, int)

    async def elsewhere() -> None:
        await asyncio.get_running_loop().run_in_executor(None, run, pool, int)

    with pytest.raises(ValueError, match="different thread"):
        asyncio.run(elsewhere())


# ------------------------------------------------------------------------- what Python code can reach, and not break


def test_an_idle_greenlet_that_is_switched_to_ends(pool: GreenletPool) -> None:
    idle = run(pool, getcurrent)
    with pytest.raises(RuntimeError, match="expected a pool to start the call"):
        idle.switch()
    assert idle.dead


def test_a_call_cannot_be_called_by_itself(pool: GreenletPool) -> None:
    def again() -> None:
        getcurrent().atlas_call()

    with pytest.raises(RuntimeError, match="expected a pool to start the call"):
        run(pool, again)
    with pytest.raises(RuntimeError, match="expected a pool to start the call"):
        compiled.Call()()  # type: ignore[attr-defined]


def test_a_greenlet_without_a_call_is_no_crash(pool: GreenletPool) -> None:
    empty = PooledGreenlet()
    for use in (lambda: empty.done, empty.next_awaitable, lambda: empty.resume(1), lambda: empty.throw(KeyError())):
        with pytest.raises(AttributeError):
            use()
    with pytest.raises(AttributeError):
        pool.finish(empty)
    with pytest.raises(TypeError):
        pool.finish(None)  # type: ignore[arg-type]


def test_a_call_that_waits_cannot_be_finished(pool: GreenletPool) -> None:
    call = pool.begin(wait, (None,))
    with pytest.raises(RuntimeError, match="expected a call that is done"):
        pool.finish(call)
    call.resume(1)
    assert pool.finish(call) == 1
    with pytest.raises(RuntimeError, match="expected a call that is done"):
        pool.finish(call)


def test_another_c_interface_is_refused() -> None:
    program = "import greenlet; greenlet.greenlet = object; import atlas._speedups.calls.greenlets"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "ImportError: expected the C interface of greenlet 3.1 or newer" in result.stderr
