"""Waiting in sync code: a ``def`` function runs in a greenlet, and the event loop goes on while it waits.

:func:`in_greenlet` is the way in and :func:`await_` the way to wait inside. An awaitable is handed to the coroutine
that started the greenlet, which awaits it in its own task: the current task, its cancellation and its context variables
are those of the request.
"""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from typing import Any, ParamSpec, TypeVar, cast

from atlas._speedups.calls.greenlets import GreenletPool, PooledGreenlet, parent_of_current
from atlas.gateway.threads import current_blocking_call

__all__ = ["Greenlets", "Pool", "await_", "can_wait", "in_greenlet"]

P = ParamSpec("P")
T = TypeVar("T")


def can_wait() -> bool:
    """Whether :func:`await_` works here."""
    return parent_of_current() is not None or current_blocking_call() is not None


def await_(awaitable: Awaitable[T]) -> T:
    """Wait for an awaitable in sync code; its result is returned, its exception is raised here.

    :raises RuntimeError: outside of a function that :func:`in_greenlet` or :func:`~atlas.gateway.threads.in_thread`
        runs, where nothing could await it.
    """
    if (parent := parent_of_current()) is not None:
        return cast(T, parent.switch(awaitable))
    if (blocking_call := current_blocking_call()) is not None:
        return blocking_call.wait_for(awaitable)
    if close := getattr(awaitable, "close", None):
        close()  # otherwise Python warns of a coroutine that was never awaited, beside the real message
    raise RuntimeError(
        "await_() was called where it cannot wait: it works in a controller or middleware that runs in a greenlet "
        "or a thread (run='greenlet', run='thread'); in 'async def' use await"
    )


class Pool(GreenletPool):
    """Greenlets of one thread that are used again, and what awaits for them."""

    __slots__ = ()

    async def join(self, greenlet: PooledGreenlet) -> Any:
        """Await what a greenlet waits for, until its call is done; the result, or the exception raised."""
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
    """Runs functions as :func:`in_greenlet` does, in greenlets that are used again.

    :param most_idle: how many are kept for later, in each thread.
    """

    def __init__(self, most_idle: int = 64) -> None:
        self._most_idle = most_idle
        self._here = _Here(most_idle)

    def new_pool(self) -> Pool:
        """A pool for one event loop, to be used in the thread of that loop."""
        return Pool(self._most_idle)

    @property
    def pool(self) -> Pool:
        """The pool of this thread."""
        return self._here.pool

    async def run(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Call ``function`` in a greenlet and await for it whatever it hands to :func:`await_`."""
        pool = self._here.pool
        greenlet = pool.begin(function, args, kwargs)
        return cast(T, pool.finish(greenlet) if greenlet.done else await pool.join(greenlet))


class _Here(threading.local):
    """A greenlet never leaves its thread."""

    def __init__(self, most_idle: int) -> None:
        self.pool = Pool(most_idle)


_ALONE = Pool(0)


async def in_greenlet(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Call ``function`` in a greenlet of its own and await for it whatever it hands to :func:`await_`.

    An exception of the function is raised here. A cancellation is raised in the function, at the ``await_`` where it
    stands. Until it first waits, nothing else runs.
    """
    greenlet = _ALONE.begin(function, args, kwargs)
    return cast(T, _ALONE.finish(greenlet) if greenlet.done else await _ALONE.join(greenlet))
