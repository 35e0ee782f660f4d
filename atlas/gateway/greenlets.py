"""Waiting in plain code: a ``def`` function runs in a greenlet, and the event loop goes on while it waits.

:func:`in_greenlet` is the way in and :func:`await_` the way to wait inside. An awaitable is handed to the coroutine
that started the greenlet, which awaits it in its own task: the current task, its cancellation and its context variables
are those of the request.
"""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from typing import Any, ParamSpec, TypeVar, cast

from greenlet import GreenletExit, getcurrent, greenlet  # type: ignore[import-untyped]  # it ships no types

from atlas.gateway.threads import errand_here

__all__ = ["Greenlets", "await_", "can_wait", "in_greenlet"]

P = ParamSpec("P")
T = TypeVar("T")


class _Waiting(greenlet):  # type: ignore[misc]  # so to mypy it is Any
    """A greenlet whose parent awaits what is handed to it."""

    # SQLAlchemy's own ``await_only`` does the same as await_ where it finds this, so that its plain, synchronous ORM
    # works on async drivers in such a greenlet (sqlalchemy.util.concurrency).
    __sqlalchemy_greenlet_provider__ = True


def can_wait() -> bool:
    """Whether :func:`await_` works here."""
    return isinstance(getcurrent(), _Waiting) or errand_here() is not None


def await_(awaitable: Awaitable[T]) -> T:
    """Wait for an awaitable in plain code; its result comes back, its exception is raised here.

    :raises RuntimeError: where there is nobody to wait: outside of a function that :func:`in_greenlet` or
        :func:`~atlas.gateway.threads.in_thread` runs.
    """
    current = getcurrent()
    if not isinstance(current, _Waiting):
        if (errand := errand_here()) is not None:
            return errand.wait_for(awaitable)
        if close := getattr(awaitable, "close", None):
            close()  # so that nobody warns of a coroutine that was never awaited, beside the real message
        raise RuntimeError(
            "await_() was called where it cannot wait: it works in a controller or middleware that runs in a greenlet "
            "or a thread (run='greenlet', run='thread'); in 'async def' use await"
        )
    assert current.parent is not None  # only the thread's first greenlet has none
    return cast(T, current.parent.switch(awaitable))


class Greenlets:
    """Runs functions as :func:`in_greenlet` does, in greenlets that are used again: a new one costs several times more.

    :param most_idle: how many are kept for later, in each thread.
    """

    def __init__(self, most_idle: int = 64) -> None:
        self._most_idle = most_idle
        self._here = _Idle()

    async def run(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Call ``function`` in a greenlet and await for it whatever it hands to :func:`await_`."""
        idle = self._here.greenlets  # a greenlet never leaves its thread
        current = getcurrent()
        worker = idle.pop() if idle else _new_worker()
        worker.parent = current
        worker.gr_context = current.gr_context
        result: Any = worker.switch((function, args, kwargs))
        while type(result) is not _Outcome:
            try:
                value = await result
            except BaseException as error:
                result = _throw(worker, error)
            else:
                result = _resume(worker, value)
        worker.gr_context = None
        if len(idle) < self._most_idle:
            idle.append(worker)
        return cast(T, result.take())


class _Idle(threading.local):
    def __init__(self) -> None:
        self.greenlets: list[_Waiting] = []


class _Outcome:
    """What came of a job."""

    __slots__ = ("error", "value")

    def __init__(self, value: Any, error: BaseException | None) -> None:
        self.value = value
        self.error = error

    def take(self) -> Any:
        """The value, or else the error raised; nothing of it stays here, for an idle greenlet holds on to this."""
        value, failure = self.value, self.error
        self.value = self.error = None
        if failure is None:
            return value
        try:
            raise failure
        finally:
            failure = None  # its traceback knows this frame


def _resume(worker: _Waiting, value: Any) -> Any:
    """Go on with the result of what was awaited; until it waits again, or is done.

    Its parent is where it comes back to. The coroutine that awaits for it may have begun in another greenlet, as that
    of an eager task does which plain code starts.
    """
    worker.parent = getcurrent()
    return worker.switch(value)


def _throw(worker: _Waiting, error: BaseException) -> Any:
    """The same with the exception of what was awaited, whose traceback a mere ``throw(error)`` would cut off."""
    worker.parent = getcurrent()
    try:
        return worker.throw(type(error), error, error.__traceback__)
    finally:
        del error  # where it is raised again its traceback knows this frame


def _new_worker() -> _Waiting:
    """A greenlet that waits for its first job: what it is started with it would keep alive for good."""
    worker = _Waiting(_work)
    worker.switch()
    return worker


def _work() -> None:
    """What a greenlet of the pool does: one job after another, until nobody keeps it and it is made to exit."""
    job = getcurrent().parent.switch()
    while True:
        function, args, kwargs = job
        try:
            outcome = _Outcome(function(*args, **kwargs), None)
        except GreenletExit:
            raise
        except BaseException as error:
            outcome = _Outcome(None, error)
        del job, function, args, kwargs  # an idle greenlet keeps nothing alive
        job = getcurrent().parent.switch(outcome)


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
            result = _throw(worker, error)
        else:
            result = _resume(worker, value)
    return cast(T, result)
