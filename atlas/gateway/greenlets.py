"""Waiting in plain code: a ``def`` function runs in a greenlet, and the event loop goes on while it waits.

:func:`in_greenlet` is the way in and :func:`await_` the way to wait inside. An awaitable is handed to the coroutine
that started the greenlet, which awaits it in its own task: the current task, its cancellation and its context variables
are those of the request.
"""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, ParamSpec, TypeVar, cast

from greenlet import GreenletExit, getcurrent, greenlet  # type: ignore[import-untyped]  # it ships no types

from atlas.gateway.threads import errand_here

__all__ = ["Greenlets", "Pool", "await_", "can_wait", "in_greenlet"]

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


class Slot:
    """Where a greenlet of a pool leaves what came of its job, before it hands the slot to whoever gave it the job."""

    __slots__ = ("error", "value")

    def __init__(self) -> None:
        self.value: Any = None
        self.error: BaseException | None = None

    def take(self) -> Any:
        """The value, or else the error raised; nothing of it stays here."""
        value, failure = self.value, self.error
        self.value = self.error = None
        if failure is None:
            return value
        try:
            raise failure
        finally:
            failure = None  # its traceback knows this frame


class Pool:
    """Greenlets of one thread that are used again: a new one costs several times more.

    One that did not come to the end of its job in good order is never used again.

    :param most_idle: how many are kept for later.
    :param home: the greenlet that gives all of them their jobs, if it is always the same one.
    """

    __slots__ = ("home", "idle", "most_idle", "slot")

    def __init__(self, most_idle: int = 64, home: Any = None) -> None:
        self.home = home
        self.idle: list[Any] = []
        self.most_idle = most_idle
        self.slot = Slot()

    def new_worker(self) -> Any:
        """A greenlet that waits for its first job: what it is started with it would keep alive for good."""
        worker = _Waiting(_work)
        worker.switch(self.slot)
        return worker

    def begin(self, function: Callable[..., Any], args: tuple[Any, ...]) -> tuple[Any, Any]:
        """Give a job to a greenlet. It, and the slot if it is done; else what it waits for."""
        current = getcurrent()
        worker = self.idle.pop() if self.idle else self.new_worker()
        worker.parent = current
        worker.gr_context = current.gr_context
        return worker, worker.switch(function, args)

    async def go_on(self, worker: Any, awaitable: Any) -> Any:
        """Await what a greenlet waits for, until its job is done; the result, or the exception raised."""
        slot, result = self.slot, awaitable
        while result is not slot:
            if worker.dead:
                raise RuntimeError("a greenlet was ended before its job was done")
            try:
                value = await result
            except BaseException as error:
                result = _throw(worker, error)
            else:
                result = _resume(worker, value)
        if self.home is not None:
            worker.parent = self.home
        return self.finish(worker)

    def finish(self, worker: Any) -> Any:
        """What came of a job that is done; its greenlet is free for the next one."""
        worker.gr_context = None
        if len(self.idle) < self.most_idle:
            self.idle.append(worker)
        return self.slot.take()


class Greenlets:
    """Runs functions as :func:`in_greenlet` does, in greenlets that are used again.

    :param most_idle: how many are kept for later, in each thread.
    """

    def __init__(self, most_idle: int = 64) -> None:
        self._most_idle = most_idle
        self._here = _Here(most_idle)

    def new_pool(self) -> Pool:
        """A pool for somebody who is always called from the same greenlet, as an event loop's callbacks are."""
        return Pool(self._most_idle, getcurrent())

    @property
    def pool(self) -> Pool:
        """The pool of this thread."""
        return self._here.pool

    async def run(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Call ``function`` in a greenlet and await for it whatever it hands to :func:`await_`."""
        pool = self._here.pool
        worker, result = pool.begin(partial(function, **kwargs) if kwargs else function, args)
        if result is pool.slot:
            return cast(T, pool.finish(worker))
        return cast(T, await pool.go_on(worker, result))


class _Here(threading.local):
    """A greenlet never leaves its thread."""

    def __init__(self, most_idle: int) -> None:
        self.pool = Pool(most_idle)


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


def _work(slot: Slot) -> None:
    """What a greenlet of a pool does: one job after another, until nobody keeps it and it is made to exit."""
    job = getcurrent().parent.switch()
    while True:
        function, args = job
        try:
            slot.value = function(*args)
        except GreenletExit:
            raise
        except BaseException as error:
            slot.error = error
        del job, function, args  # an idle greenlet keeps nothing alive
        job = getcurrent().parent.switch(slot)


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
