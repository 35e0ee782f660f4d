"""Blocking calls in threads, and a pool of threads with a capacity limiter.

A function in a thread can still wait for the event loop: :func:`~atlas.gateway.greenlets.await_` sends an awaitable to
the coroutine that waits for the thread, which awaits it in its own task. The current task, its cancellation and its
context variables are therefore those of the request, as they are in a greenlet.
"""

from __future__ import annotations

import asyncio
import os
import threading
from asyncio import CancelledError
from collections.abc import Awaitable, Callable
from contextvars import Context, ContextVar, copy_context
from functools import partial
from queue import SimpleQueue
from typing import Any, ParamSpec, TypeVar, cast

from atlas.gateway.anyio_threads import anyio_thread
from atlas.gateway.forked_children import end_child
from atlas.gateway.worker_threads import Job, Limits, Token, WorkerThreads

__all__ = [
    "BACKGROUND",
    "CALLS",
    "FILES",
    "BlockingCall",
    "ThreadPool",
    "current_blocking_call",
    "forget_blocking_call",
    "in_file_thread",
    "in_thread",
    "next_turn",
    "running_in_threads",
    "set_thread_limits",
]

P = ParamSpec("P")
T = TypeVar("T")

_UNSET: Any = object()


async def in_thread(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Call ``function`` in a thread, and wait for the result.

    The function sees the context variables of the caller, and the caller sees those that the function has set, after it
    returned. In the function ``await_`` works. If the caller is cancelled, it stops waiting; the function runs on to
    its end or to its next ``await_``, which raises ``CancelledError``. ``--limit-threads`` (40) functions run at a time
    for an event loop.

    :param function: called with ``args`` and ``kwargs``.
    :returns: what the function returns.
    :raises Exception: what the function raises.
    """
    return await CALLS.run(function, *args, **kwargs)


async def in_file_thread(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a short function of Atlas that uses files, as :func:`in_thread` does. It never waits for user code."""
    return await FILES.run(function, *args, **kwargs)


async def next_turn() -> None:
    """Let all other callbacks that are ready run before the caller continues."""
    await asyncio.sleep(0)


class ThreadPool:
    """Runs blocking functions in threads, a limited number at a time; further ones wait, in order.

    A function that waits in ``await_`` does not count while it waits. Functions that wait for each other, or for
    another function of the pool, can therefore not deadlock.

    :param limit: number of functions that run at a time, for each event loop; default 40.
    :param purpose: what the functions are, for log lines.
    :param flag: the command line flag of the limit, for log lines.
    """

    def __init__(self, limit: int = 40, *, purpose: str = "functions", flag: str = "limit") -> None:
        self._threads = WorkerThreads(f"atlas {purpose}")
        self._limits = Limits(limit, f"all %d threads for {purpose} are in use: further ones wait ({flag})")
        self._running: dict[BlockingCall, Callable[..., Any]] = {}

    def set_limit(self, loop: asyncio.AbstractEventLoop, limit: int) -> None:
        """Set the number of functions that run at a time for an event loop.

        :param loop: the event loop, which runs in this thread.
        :param limit: the number.
        """
        self._limits.of(loop).resize(limit)

    def running(self, loop: asyncio.AbstractEventLoop) -> list[tuple[str, int | None]]:
        """Return the name of each function that runs for an event loop, and the identifier of its thread."""
        calls = [(call, function) for call, function in list(self._running.items()) if call.loop is loop]
        return [(_name_of(function), call.thread) for call, function in calls]

    async def run(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Call ``function`` in a thread of the pool, as :func:`in_thread` does.

        :param function: called with ``args`` and ``kwargs``.
        :returns: what the function returns.
        :raises Exception: what the function raises.
        """
        loop = asyncio.get_running_loop()
        token = Token(self._limits.of(loop))
        await token.acquire()
        call = BlockingCall(loop, token)
        try:
            job = self._threads.submit(self._run, call, function, args, kwargs)
        except BaseException:
            token.release()
            raise
        return cast(T, await call.wait(job))

    def _run(
        self, call: BlockingCall, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        self._running[call] = function
        try:
            call.run(function, args, kwargs)
        finally:
            del self._running[call]


def _name_of(function: Callable[..., Any]) -> str:
    """Return module and qualified name of a function, or of what a partial calls."""
    while isinstance(function, partial):
        function = function.func
    return f"{getattr(function, '__module__', '?')}.{getattr(function, '__qualname__', type(function).__qualname__)}"


class BlockingCall:
    """A function that runs in a thread, and the coroutine that waits for it.

    The thread sends messages to the loop: an awaitable for each ``await_``, and at last the outcome of the function.
    The coroutine awaits the awaitable and sends its outcome back.

    :param loop: the event loop of the coroutine.
    :param token: a token of a limiter, held while the function runs; None if the number of calls is not limited.
    """

    __slots__ = ("_before", "_context", "_message", "_process", "_replies", "_token", "loop", "task", "thread")

    def __init__(self, loop: asyncio.AbstractEventLoop, token: Token | None = None) -> None:
        self.loop = loop
        self.task = asyncio.current_task()
        """The task that waits for the call."""
        self.thread: int | None = None
        """The identifier of the thread, after the function has started."""
        self._token = token
        self._process = os.getpid()
        self._message: asyncio.Future[Any] = loop.create_future()
        self._replies: SimpleQueue[_Outcome | None] = SimpleQueue()
        self._context, self._before = copy_context(), copy_context()

    # In the thread.

    def run(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Call the function, and send its outcome to the loop."""
        outcome = self._context.run(self._call, function, args, kwargs)
        try:
            self.loop.call_soon_threadsafe(self._receive, outcome)
        except RuntimeError:
            pass  # the loop was closed
        finally:
            del outcome  # the traceback of its exception refers to this frame

    def _call(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> _Outcome:
        _CURRENT.set(self)
        self.thread = threading.get_ident()
        try:
            with anyio_thread(self.loop):
                return _Outcome(function(*args, **kwargs), None)
        except BaseException as error:
            if isinstance(error, SystemExit) and self._process != os.getpid():
                end_child(error)
            return _Outcome(None, error)
        finally:
            _CURRENT.set(None)  # the context belongs to this object: without this they form a reference cycle

    def wait_for(self, awaitable: Awaitable[T]) -> T:
        """Let the coroutine await ``awaitable``, and block until the result is there; called in the thread.

        :raises CancelledError: if the coroutine does not wait for this call any more.
        """
        try:
            self.loop.call_soon_threadsafe(self._receive, awaitable)
            reply = self._replies.get()
        except RuntimeError:  # the loop was closed
            reply = None
        if reply is None:
            self._replies.put(None)  # for the next call
            if close := getattr(awaitable, "close", None):
                close()
            raise CancelledError("the caller of this thread has been cancelled")
        _apply_changes(reply.after, reply.before)
        return cast(T, reply.take())

    # On the loop.

    async def wait(self, job: Job) -> Any:
        """Await what the function passes to ``await_``, until it ends.

        :param job: the call in the queue of the executor; cancelled if the caller is cancelled before it starts.
        :returns: what the function returns.
        :raises Exception: what the function raises.
        """
        try:
            while type(message := await self._message) is not _Outcome:
                self._message = self.loop.create_future()
                self._replies.put(await self._reply(message))
            _apply_changes(self._context, self._before)
            return message.take()
        finally:
            if job.cancel() and self._token is not None:
                self._token.release()
            self._replies.put(None)
            # Later messages of the thread are ignored. The exception of the task may refer to this object; without the
            # lines below they form a reference cycle.
            self._message.cancel()
            self._message = _cancelled_future(self.loop)
            self.task = None

    async def _reply(self, awaitable: Awaitable[Any]) -> _Outcome:
        _apply_changes(self._context, self._before)
        before = copy_context()
        if self._token is not None:
            self._token.release()
        try:
            outcome = _Outcome(await awaitable, None)
            if self._token is not None:
                await self._token.acquire()
        except GeneratorExit:
            raise  # the coroutine is closed, and cannot wait any more
        except BaseException as error:
            outcome = _Outcome(None, error)
        outcome.before, outcome.after = before, copy_context()
        self._before = outcome.after
        return outcome

    def _receive(self, message: Any) -> None:
        if type(message) is _Outcome and self._token is not None:
            self._token.release()
        if not self._message.done():
            self._message.set_result(message)


def _cancelled_future(loop: asyncio.AbstractEventLoop) -> asyncio.Future[Any]:
    future = loop.create_future()
    future.cancel()
    return future


class _Outcome:
    """The result or the exception of a function or an awaitable, with the context before and after."""

    __slots__ = ("after", "before", "error", "value")

    before: Context
    after: Context

    def __init__(self, value: Any, error: BaseException | None) -> None:
        self.value = value
        self.error = error

    def take(self) -> Any:
        """Return the result or raise the exception, and forget it: the traceback refers to the owner of this object."""
        value, failure = self.value, self.error
        self.value = self.error = None
        if failure is None:
            return value
        try:
            raise failure
        finally:
            failure = None


_CURRENT: ContextVar[BlockingCall | None] = ContextVar("atlas.blocking_call", default=None)


def current_blocking_call() -> BlockingCall | None:
    """Return the blocking call that the current code runs in, or None if the code must not wait in ``await_``.

    The context of a call may be copied into other threads and tasks, in which waiting is not possible; nor is it in an
    event loop that runs in the thread of the call.
    """
    call = _CURRENT.get()
    if call is None or call.thread != threading.get_ident() or asyncio._get_running_loop() is not None:
        return None
    return call


def forget_blocking_call() -> None:
    """Let the current code wait for no event loop any more."""
    _CURRENT.set(None)


def _apply_changes(context: Context, before: Context) -> None:
    """Set the context variables that differ between ``before`` and ``context``."""
    for variable, value in context.items():
        if before.get(variable, _UNSET) is not value and variable is not _CURRENT:
            variable.set(value)


# A purpose has threads of its own, so that files and sessions are served while functions of the application block. The
# threads belong to the process, the limits to an event loop.
CALLS = ThreadPool(purpose='in_thread() and run="thread"', flag="--limit-threads")
BACKGROUND = ThreadPool(purpose="background functions", flag="--limit-threads-background")
FILES = ThreadPool(purpose="files and sessions", flag="--limit-threads-files")


def set_thread_limits(loop: asyncio.AbstractEventLoop, *, calls: int, background: int, files: int) -> None:
    """Set how many functions of each purpose run in threads at a time for an event loop, which runs in this thread."""
    for pool, limit in ((CALLS, calls), (BACKGROUND, background), (FILES, files)):
        pool.set_limit(loop, limit)


def running_in_threads(loop: asyncio.AbstractEventLoop) -> list[tuple[str, int | None]]:
    """Return the name of each function that runs in a thread for an event loop, and the identifier of that thread."""
    return [each for pool in (CALLS, BACKGROUND, FILES) for each in pool.running(loop)]
