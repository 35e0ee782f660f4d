"""Work that would hold the event loop, moved to a thread; and a turn for the others.

What runs in a thread may still wait for the loop: :func:`~atlas.gateway.greenlets.await_` hands an awaitable to the
coroutine that waits for the thread, which awaits it in its own task. So the current task, its cancellation and its
context variables are those of the request, as they are in a greenlet.
"""

from __future__ import annotations

import asyncio
import threading
from asyncio import CancelledError
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context, ContextVar, copy_context
from queue import SimpleQueue
from typing import Any, ParamSpec, Protocol, TypeVar, cast

__all__ = ["Errand", "Threads", "errand_here", "in_thread", "next_turn"]

P = ParamSpec("P")
T = TypeVar("T")

_MOST_THREADS = 10_000  # the bound is on those that run, which is Threads' own; this one is only for the executor
_NOTHING: Any = object()


async def in_thread(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Call ``function`` in a thread of the loop's pool and wait for its result.

    It is as if it had been called here: it sees the caller's context variables, and those that it sets are set here
    when it has returned; its exception is raised here; ``await_`` works in it. A cancelled caller stops waiting; the
    function itself runs on to its end, or to its next ``await_``, which raises ``CancelledError`` then.
    """
    errand = Errand(asyncio.get_running_loop())
    job = errand.loop.run_in_executor(None, errand.run, function, args, kwargs)
    return cast(T, await errand.attend(job))


async def next_turn() -> None:
    """Let everything else that is ready run once before going on."""
    await asyncio.sleep(0)


class Threads:
    """Threads for functions that may block, and so hold one for long: so many run at a time, the others stand in line.

    One that waits by ``await_`` makes room for another meanwhile, so that functions which wait for each other, or for
    something that needs a thread, never keep each other from running.

    :param most: how many run at a time, for each event loop.
    """

    def __init__(self, most: int = 40) -> None:
        self._executor = ThreadPoolExecutor(_MOST_THREADS, "atlas controller")
        self._here = _Places(most)

    async def run(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Call ``function`` in a thread, as :func:`in_thread` does."""
        place = _Place(self._here)
        await place.take()
        errand = Errand(asyncio.get_running_loop(), place)
        try:
            job = self._executor.submit(errand.run, function, args, kwargs)
        except BaseException:
            place.leave()
            raise
        return cast(T, await errand.attend(job))


class _Places(threading.local):
    """How many may run at a time: a loop stays in its thread, so nothing here needs a lock."""

    def __init__(self, most: int) -> None:
        self.free = most
        self.waiting: deque[asyncio.Future[None]] = deque()


class _Place:
    """One of the places, taken or not."""

    __slots__ = ("_places", "_taken")

    def __init__(self, places: _Places) -> None:
        self._places = places
        self._taken = False

    async def take(self) -> None:
        places = self._places
        if places.free > 0:
            places.free -= 1
        else:
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            places.waiting.append(turn)
            try:
                await turn
            except BaseException:
                if turn.done() and not turn.cancelled():
                    self._pass_on()
                else:
                    places.waiting.remove(turn)
                raise
        self._taken = True

    def leave(self) -> None:
        """Give it up; nothing happens if it is not taken."""
        if self._taken:
            self._taken = False
            self._pass_on()

    def _pass_on(self) -> None:
        places = self._places
        while places.waiting:
            turn = places.waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        places.free += 1


class _Job(Protocol):
    def cancel(self) -> bool: ...


class Errand:
    """A function that runs in a thread, and the coroutine that attends to it.

    The thread tells the loop what it wants to have awaited, and in the end what came of it. The coroutine answers.
    """

    __slots__ = ("_answers", "_before", "_context", "_place", "_told", "loop", "task", "thread")

    def __init__(self, loop: asyncio.AbstractEventLoop, place: _Place | None = None) -> None:
        self.loop = loop
        self.task = asyncio.current_task()
        """The task on whose behalf it runs."""
        self.thread: int | None = None
        """The thread, once it has begun."""
        self._place = place
        self._told: asyncio.Future[Any] = loop.create_future()
        self._answers: SimpleQueue[_Answer | None] = SimpleQueue()
        self._context, self._before = copy_context(), copy_context()

    # In the thread.

    def run(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Call the function, and tell what came of it."""
        outcome = self._context.run(self._call, function, args, kwargs)
        try:
            self.loop.call_soon_threadsafe(self._hear, outcome)
        except RuntimeError:
            pass  # the loop was closed, so nobody waits any more
        finally:
            del outcome  # the traceback of its error knows this frame

    def _call(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> _Answer:
        _HERE.set(self)
        self.thread = threading.get_ident()
        try:
            return _Answer(function(*args, **kwargs), None)
        except BaseException as error:
            return _Answer(None, error)
        finally:
            _HERE.set(None)  # it is in our own context: without this the two would keep each other alive

    def wait_for(self, awaitable: Awaitable[T]) -> T:
        """Let the coroutine await it, and wait for the result."""
        try:
            self.loop.call_soon_threadsafe(self._hear, awaitable)
            answer = self._answers.get()
        except RuntimeError:  # the loop was closed
            answer = None
        if answer is None:
            self._answers.put(None)  # for the next one that asks
            if close := getattr(awaitable, "close", None):
                close()
            raise CancelledError("whoever waited for this thread is gone")
        _take_over(answer.after, answer.before)
        return cast(T, answer.take())

    # On the loop.

    async def attend(self, job: _Job) -> Any:
        """Await what the thread asks for, until it is done; its result, or its exception raised.

        :param job: its place in the queue of the pool, to be cancelled if that comes in time.
        """
        try:
            while type(told := await self._told) is not _Answer:
                self._told = self.loop.create_future()
                self._answers.put(await self._answer(told))
            _take_over(self._context, self._before)
            return told.take()
        finally:
            if job.cancel() and self._place is not None:
                self._place.leave()
            self._answers.put(None)
            # What the thread tells from now on nobody hears; and the task's exception may know this errand. Without it
            # each would keep the other alive.
            self._told.cancel()
            self._told = _abandoned(self.loop)
            self.task = None

    async def _answer(self, awaitable: Awaitable[Any]) -> _Answer:
        _take_over(self._context, self._before)
        before = copy_context()
        if self._place is not None:
            self._place.leave()
        try:
            answer = _Answer(await awaitable, None)
            if self._place is not None:
                await self._place.take()
        except GeneratorExit:
            raise  # the coroutine is closed, and may not wait any more
        except BaseException as error:
            answer = _Answer(None, error)
        answer.before, answer.after = before, copy_context()
        self._before = answer.after
        return answer

    def _hear(self, told: Any) -> None:
        if type(told) is _Answer and self._place is not None:
            self._place.leave()
        if not self._told.done():
            self._told.set_result(told)


def _abandoned(loop: asyncio.AbstractEventLoop) -> asyncio.Future[Any]:
    """A future that nobody waits for any more."""
    future = loop.create_future()
    future.cancel()
    return future


class _Answer:
    """What came of something: of a function, or of an awaitable, with the context before and after."""

    __slots__ = ("after", "before", "error", "value")

    before: Context
    after: Context

    def __init__(self, value: Any, error: BaseException | None) -> None:
        self.value = value
        self.error = error

    def take(self) -> Any:
        """The value, or else the error raised; nothing of it stays here, for its traceback knows who holds this."""
        value, failure = self.value, self.error
        self.value = self.error = None
        if failure is None:
            return value
        try:
            raise failure
        finally:
            failure = None


_HERE: ContextVar[Errand | None] = ContextVar("atlas.errand", default=None)


def errand_here() -> Errand | None:
    """The errand that this very code runs in, if it may wait here.

    A context is copied into other threads and tasks, but only the errand's own thread is attended to; and a loop that
    runs in it must not be held.
    """
    errand = _HERE.get()
    if errand is None or errand.thread != threading.get_ident() or asyncio._get_running_loop() is not None:
        return None
    return errand


def _take_over(context: Context, before: Context) -> None:
    """Set here what was set in ``context`` since ``before``."""
    for variable, value in context.items():
        if before.get(variable, _NOTHING) is not value and variable is not _HERE:
            variable.set(value)
