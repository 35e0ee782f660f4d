"""Waiting in sync code: a ``def`` function runs in a greenlet, and the event loop continues while it waits.

:func:`in_greenlet` calls a function in a greenlet, and the function waits with :func:`await_`. That passes the
awaitable to the coroutine that started the greenlet, which awaits it in its own task: the current task, its
cancellation and its context variables are those of the request.
"""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any, ParamSpec, TypeVar, cast

from atlas._speedups.calls.greenlets import GreenletPool, PooledGreenlet, abandon_current, parent_of_current
from atlas.gateway.threads import current_blocking_call, forget_blocking_call, in_file_thread

__all__ = ["Greenlets", "Pool", "await_", "await_in_place", "can_wait", "forget_waiting", "in_greenlet", "use_files"]

P = ParamSpec("P")
T = TypeVar("T")


def can_wait() -> bool:
    """Return whether :func:`await_` can be called here: in a greenlet, or in a thread of :func:`in_thread`."""
    return parent_of_current() is not None or current_blocking_call() is not None


def await_(awaitable: Awaitable[T]) -> T:
    """Wait for an awaitable in sync code.

    :param awaitable: a coroutine, a future or another awaitable.
    :returns: its result.
    :raises Exception: its exception.
    :raises asyncio.CancelledError: if the request is cancelled meanwhile.
    :raises RuntimeError: if the code runs neither in a greenlet nor in a thread of :func:`in_thread`.
    """
    if (parent := parent_of_current()) is not None:
        return cast(T, parent.switch(awaitable))
    if (blocking_call := current_blocking_call()) is not None:
        return blocking_call.wait_for(awaitable)
    if close := getattr(awaitable, "close", None):
        close()  # else Python also warns about a coroutine that was never awaited
    raise RuntimeError(
        "await_() was called where it cannot wait: it works in a controller or middleware that runs in a greenlet "
        "or a thread (run='greenlet', run='thread'); in 'async def' use await"
    )


def use_files(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function that uses files, from sync code. A greenlet waits while a thread calls it.

    In a thread, or where the caller cannot wait, it is called directly.

    :param function: a short function of Atlas, called with ``args`` and ``kwargs``.
    :returns: the result of the function.
    :raises Exception: what the function raises.
    """
    if parent_of_current() is None:
        return function(*args, **kwargs)
    return await_(in_file_thread(function, *args, **kwargs))


def forget_waiting() -> None:
    """Let :func:`await_` raise in the current code: this process was forked from it, and has no event loop."""
    abandon_current()
    forget_blocking_call()


def await_in_place(coroutine: Coroutine[Any, None, T]) -> T:
    """Wait for a coroutine in sync code, and run its code here: sync functions that it calls can wait too.

    :func:`await_` runs it in the task of the caller instead, where sync code cannot wait.

    :param coroutine: a coroutine, or the result of a method of an asynchronous generator.
    :returns: its result.
    :raises Exception: its exception. Also raises what :func:`await_` raises.
    """
    if parent_of_current() is None and current_blocking_call() is not None:
        in_place: Callable[[Coroutine[Any, None, T]], T] = await_in_place
        return await_(in_greenlet(in_place, coroutine))
    failure: BaseException | None = None
    while True:
        try:
            yielded = coroutine.send(None) if failure is None else coroutine.throw(failure)
        except StopIteration as stop:
            return cast(T, stop.value)
        finally:
            failure = None  # its traceback refers to this frame
        try:
            await_(_Yielded(yielded))
        except BaseException as error:
            failure = error


class _Yielded:
    """Yields an object that a coroutine has yielded, such as a future, to the event loop."""

    __slots__ = ("_object",)

    def __init__(self, yielded: Any) -> None:
        self._object = yielded

    def __await__(self) -> Generator[Any, None, None]:
        yield self._object


class Pool(GreenletPool):
    """A pool of greenlets of one thread."""

    __slots__ = ()

    async def join(self, greenlet: PooledGreenlet) -> Any:
        """Await what a greenlet waits for, until its call is done.

        :param greenlet: a greenlet of this pool.
        :returns: the result of the call.
        :raises BaseException: the exception of the call.
        """
        while not greenlet.done:
            awaitable = greenlet.next_awaitable()
            try:
                value = await awaitable
            except BaseException as error:
                greenlet.throw(error)
            else:
                greenlet.resume(value)
        return self.finish(greenlet)


class Greenlets:
    """Calls functions as :func:`in_greenlet` does, in a pool of greenlets for each thread.

    :param max_idle: maximum number of idle greenlets of each pool, default 64.
    """

    def __init__(self, max_idle: int = 64) -> None:
        self._max_idle = max_idle
        self._local = _LocalPool(max_idle)

    def new_pool(self) -> Pool:
        """Return a new pool for one event loop, to be used in the thread of that loop."""
        return Pool(self._max_idle)

    @property
    def pool(self) -> Pool:
        """The pool of this thread."""
        return self._local.pool

    async def run(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Call ``function`` in a greenlet of the pool, as :func:`in_greenlet` does."""
        pool = self._local.pool
        greenlet = pool.begin(function, args, kwargs)
        return cast(T, pool.finish(greenlet) if greenlet.done else await pool.join(greenlet))


class _LocalPool(threading.local):
    """The pool of the current thread: a greenlet cannot be switched to from another thread."""

    def __init__(self, max_idle: int) -> None:
        self.pool = Pool(max_idle)


_UNPOOLED = Pool(0)


async def in_greenlet(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Call ``function`` in a greenlet of its own, and await what it passes to :func:`await_`.

    A cancellation is raised in the function, at the ``await_`` where it waits.

    :param function: called with ``args`` and ``kwargs``.
    :returns: the result of the function.
    :raises Exception: what the function raises.
    """
    greenlet = _UNPOOLED.begin(function, args, kwargs)
    return cast(T, _UNPOOLED.finish(greenlet) if greenlet.done else await _UNPOOLED.join(greenlet))
