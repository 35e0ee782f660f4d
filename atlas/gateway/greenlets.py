"""Waiting in plain code: a ``def`` function runs in a greenlet, and the event loop goes on while it waits.

:func:`in_greenlet` is the way in and :func:`await_` the way to wait inside. An awaitable is handed to the coroutine
that started the greenlet, which awaits it in its own task: the current task, its cancellation and its context variables
are those of the request.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, ParamSpec, TypeVar, cast

from greenlet import getcurrent, greenlet  # type: ignore[import-untyped]  # it ships no types

__all__ = ["await_", "can_wait", "in_greenlet"]

P = ParamSpec("P")
T = TypeVar("T")


class _Waiting(greenlet):  # type: ignore[misc]  # so to mypy it is Any
    """A greenlet whose parent awaits what is handed to it."""

    # SQLAlchemy's own ``await_only`` does the same as await_ where it finds this, so that its plain, synchronous ORM
    # works on async drivers in such a greenlet (sqlalchemy.util.concurrency).
    __sqlalchemy_greenlet_provider__ = True


def can_wait() -> bool:
    """Whether :func:`await_` works here."""
    return isinstance(getcurrent(), _Waiting)


def await_(awaitable: Awaitable[T]) -> T:
    """Wait for an awaitable in plain code; its result comes back, its exception is raised here.

    :raises RuntimeError: where there is nobody to wait: outside of a function that :func:`in_greenlet` runs.
    """
    current = getcurrent()
    if not isinstance(current, _Waiting):
        if close := getattr(awaitable, "close", None):
            close()  # so that nobody warns of a coroutine that was never awaited, beside the real message
        raise RuntimeError(
            "await_() was called where it cannot wait: it works in a controller or middleware that runs in a greenlet "
            "(run='greenlet'); in 'async def' use await"
        )
    assert current.parent is not None  # only the thread's first greenlet has none
    return cast(T, current.parent.switch(awaitable))


async def in_greenlet(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Call ``function`` in a greenlet of its own and await for it whatever it hands to :func:`await_`.

    An exception of the function is raised here. A cancellation is raised in the function, at the ``await_`` where it
    stands. Until it first waits, nothing else runs.
    """
    current = getcurrent()
    worker = _Waiting(function, current)
    worker.gr_context = current.gr_context
    result: Any = worker.switch(*args, **kwargs)
    while not worker.dead:
        try:
            value = await result
        except BaseException as error:
            result = worker.throw(error)
        else:
            result = worker.switch(value)
    return cast(T, result)
