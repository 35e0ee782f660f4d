"""Real asyncio tasks whose first step runs at once.

Most applications answer without ever waiting. Their task is done when :func:`eager_spawner`'s function returns, and the
event loop never hears of it. The task is asyncio's own all the same, and the current one from the first step on, so
that ``asyncio.timeout``, anyio, sniffio and cancellation are right.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any, TypeAlias

__all__ = ["Spawn", "eager_spawner"]

Spawn: TypeAlias = Callable[[Coroutine[Any, Any, None], Context], "asyncio.Task[None]"]


def eager_spawner(loop: asyncio.AbstractEventLoop) -> Spawn:
    """A function that makes a task of a coroutine, in the context given, and runs its first step before it returns.

    An exception that would stop the loop (KeyboardInterrupt, SystemExit) is passed on to the loop, not to the caller.
    """
    if sys.version_info >= (3, 12):
        return _eager(loop)
    return _stepping(loop) if hasattr(loop, "__dict__") else _plain(loop)


def _plain(loop: asyncio.AbstractEventLoop) -> Spawn:
    """For a loop that can't be told otherwise: the first step runs in the next turn."""

    def spawn(coroutine: Coroutine[Any, Any, None], context: Context) -> asyncio.Task[None]:
        return asyncio.Task(coroutine, loop=loop, context=context, name="atlas request")

    return spawn


def _eager(loop: asyncio.AbstractEventLoop) -> Spawn:
    """Python 3.12 and newer have it built in."""
    task_class: Any = asyncio.Task

    def spawn(coroutine: Coroutine[Any, Any, None], context: Context) -> asyncio.Task[None]:
        try:
            return task_class(coroutine, loop=loop, context=context, name="atlas request", eager_start=True)
        except (KeyboardInterrupt, SystemExit) as error:
            loop.call_soon(_raise, error)
            return _failed(loop, error)

    return spawn


def _stepping(loop: asyncio.AbstractEventLoop) -> Spawn:
    """Python 3.11: a new task asks its loop to ``call_soon`` its first step, and here that call is answered by us.

    The stand-in is in place only while the constructor runs. It knows the step by its context, which nobody else has:
    whatever else is scheduled meanwhile (a finalizer may run at any allocation) goes on to the loop.
    """
    own: dict[str, Any] = loop.__dict__
    first = _FirstStep(loop.call_soon)
    task_class = asyncio.Task

    def spawn(coroutine: Coroutine[Any, Any, None], context: Context) -> asyncio.Task[None]:
        first.context = context
        own["call_soon"] = first
        try:
            task = task_class(coroutine, loop=loop, context=context, name="atlas request")
        finally:
            del own["call_soon"]
        step, first.step, first.context = first.step, None, None
        try:
            context.run(step)
        except RuntimeError:  # another task is being run: the step can't, and wasn't
            loop.call_soon(step, context=context)
        except (KeyboardInterrupt, SystemExit) as error:
            loop.call_soon(_raise, error)
        return task

    return spawn


class _FirstStep:
    """Stands in for a loop's ``call_soon`` while one task is made, and keeps that task's first step."""

    __slots__ = ("call_soon", "context", "step")

    def __init__(self, call_soon: Callable[..., Any]) -> None:
        self.call_soon = call_soon
        self.context: Context | None = None
        self.step: Any = None

    def __call__(self, callback: Callable[..., object], *args: Any, context: Context | None = None) -> Any:
        if context is not None and context is self.context:
            self.step = callback
            return None
        return self.call_soon(callback, *args, context=context)


def _raise(error: BaseException) -> None:
    raise error


def _failed(loop: asyncio.AbstractEventLoop, error: BaseException) -> asyncio.Task[None]:
    """Stands for the task that the constructor didn't give back."""
    future: Any = loop.create_future()
    future.set_exception(RuntimeError(f"the application raised {type(error).__name__}"))
    return future
