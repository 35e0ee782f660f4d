"""A mutual exclusion lock for greenlets, threads and coroutines."""

from __future__ import annotations

import asyncio
import threading
from abc import ABC, abstractmethod
from collections import deque
from types import TracebackType
from typing import TypeAlias

from greenlet import getcurrent  # type: ignore[import-untyped]  # it ships no types

from atlas.gateway.greenlets import await_, can_wait
from atlas.gateway.threads import current_blocking_call

__all__ = ["Lock"]

_Owner: TypeAlias = tuple[object, ...]


class Lock:
    """A lock that one request at a time holds: ``with lock:`` in a ``def``, ``async with lock:`` in an ``async def``.

    It can be created at module level, and is not bound to an event loop. A greenlet and a coroutine let the event loop
    continue while they wait; a thread blocks. Waiting requests acquire the lock in first-in, first-out order. A request
    that is cancelled while it waits is removed from the queue.

    The lock may be released by another task or thread than the one that acquired it. It is not reentrant.
    """

    __slots__ = ("_guard", "_owner", "_waiters")

    def __init__(self) -> None:
        # It is held for a few instructions only, never while waiting. Reentrant, because a finalizer may run between
        # those instructions and release this lock.
        self._guard = threading.RLock()
        self._owner: _Owner | None = None
        self._waiters: deque[_Waiter] = deque()

    def acquire(self) -> None:
        """Acquire the lock, and wait for it if necessary. In ``async def`` use ``async with``.

        :raises RuntimeError: if the same request holds the lock already; or if it is held, and this code runs on the
            event loop without a greenlet (``run="inline"``, or ``async def``), where waiting would block the loop.
        """
        owner = _current_owner()
        if self._try_acquire(owner):
            return
        if can_wait():
            await_(self._wait(owner))
        elif asyncio._get_running_loop() is not None:
            raise RuntimeError(
                "the lock is held, and waiting for it here would block the event loop: use 'async with' in async def, "
                'and run="greenlet" or run="thread" for a def controller'
            )
        else:
            self._block(owner)

    def release(self) -> None:
        """Release the lock, and hand it over to the next request that waits.

        :raises RuntimeError: if the lock is not held.
        """
        with self._guard:
            if self._owner is None:
                raise RuntimeError("release() of a lock that is not held")
            self._hand_over()

    def locked(self) -> bool:
        """Return whether the lock is held."""
        return self._owner is not None

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    async def __aenter__(self) -> None:
        owner = _current_owner()
        if not self._try_acquire(owner):
            await self._wait(owner)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def _try_acquire(self, owner: _Owner, waiter: _Waiter | None = None) -> bool:
        """Acquire the lock if it is free; otherwise add ``waiter`` to the queue."""
        with self._guard:
            if self._owner is None:
                self._owner = owner
                return True
            if any(each in self._owner for each in owner):
                raise RuntimeError("this request (or thread) holds the lock already: waiting for it would never end")
            if waiter is not None:
                self._waiters.append(waiter)
            return False

    async def _wait(self, owner: _Owner) -> None:
        waiter = _CoroutineWaiter(owner)
        if self._try_acquire(owner, waiter):
            return
        try:
            await waiter.future
        except BaseException:
            self._cancel(waiter)
            raise

    def _block(self, owner: _Owner) -> None:
        waiter = _ThreadWaiter(owner)
        if self._try_acquire(owner, waiter):
            return
        try:
            waiter.event.wait()
        except BaseException:  # Ctrl+C
            self._cancel(waiter)
            raise

    def _cancel(self, waiter: _Waiter) -> None:
        """Remove ``waiter`` from the queue; if the lock was handed over to it just now, hand it on."""
        with self._guard:
            if waiter.acquired:
                self._hand_over()
            elif waiter in self._waiters:
                self._waiters.remove(waiter)

    def _hand_over(self) -> None:
        """Make the next waiter the owner. The lock is not free in between, so that no later request can acquire it."""
        while self._waiters:
            waiter = self._waiters.popleft()
            self._owner, waiter.acquired = waiter.owner, True
            if waiter.wake():
                return
            waiter.acquired = False
        self._owner = None

    def __repr__(self) -> str:
        state = f"held, {len(self._waiters)} waiting" if self.locked() else "free"
        return f"<atlas.Lock {state}>"


class _Waiter(ABC):
    """A request in the queue of a lock."""

    __slots__ = ("acquired", "owner")

    def __init__(self, owner: _Owner) -> None:
        self.owner = owner
        self.acquired = False

    @abstractmethod
    def wake(self) -> bool:
        """Wake the waiter; return False if its event loop is closed."""


class _CoroutineWaiter(_Waiter):
    __slots__ = ("_loop", "future")

    def __init__(self, owner: _Owner) -> None:
        super().__init__(owner)
        self._loop = asyncio.get_running_loop()
        self.future: asyncio.Future[None] = self._loop.create_future()

    def wake(self) -> bool:
        try:
            if asyncio._get_running_loop() is self._loop:
                self._set_result()
            else:
                self._loop.call_soon_threadsafe(self._set_result)
        except RuntimeError:  # the loop was closed
            return False
        return True

    def _set_result(self) -> None:
        if not self.future.done():
            self.future.set_result(None)


class _ThreadWaiter(_Waiter):
    __slots__ = ("event",)

    def __init__(self, owner: _Owner) -> None:
        super().__init__(owner)
        self.event = threading.Event()

    def wake(self) -> bool:
        self.event.set()
        return True


def _current_owner() -> _Owner:
    """Return the objects that identify the current request: its task and greenlet, or its thread."""
    if asyncio._get_running_loop() is None:
        call = current_blocking_call()
        return (threading.get_ident(),) if call is None or call.task is None else (call.task,)
    task, greenlet = asyncio.current_task(), getcurrent()
    is_main_greenlet = greenlet.parent is None  # all code of the thread outside of other greenlets runs in it
    return tuple(each for each in (task, None if is_main_greenlet else greenlet) if each is not None)
