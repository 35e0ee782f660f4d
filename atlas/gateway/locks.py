"""One at a time, whatever it runs in: a greenlet, a thread, or a coroutine."""

from __future__ import annotations

import asyncio
import threading
from abc import ABC, abstractmethod
from collections import deque
from types import TracebackType
from typing import TypeAlias

from greenlet import getcurrent  # type: ignore[import-untyped]  # it ships no types

from atlas.gateway.greenlets import await_, can_wait
from atlas.gateway.threads import errand_here

__all__ = ["Lock"]

_Identity: TypeAlias = tuple[object, ...]


class Lock:
    """Lets one request at a time through: ``with lock:`` in a ``def``, ``async with lock:`` in an ``async def``.

    It may be made anywhere, at the top of a module too, and belongs to no event loop: whoever uses it waits in its own
    way. A greenlet and a coroutine let the event loop go on, a thread just stands still; since no loop is ever held,
    these never keep each other from going on. Who comes first is served first. A request that is cancelled while it
    waits leaves the line.

    It may be released by another task or thread than the one that took it, but none can take it twice.
    """

    __slots__ = ("_guard", "_owner", "_waiting")

    def __init__(self) -> None:
        # It is held for a few instructions at a time, and never while somebody waits. A finalizer may run between
        # those and release this very lock, hence the R.
        self._guard = threading.RLock()
        self._owner: _Identity | None = None
        self._waiting: deque[_Waiter] = deque()

    def acquire(self) -> None:
        """Take the lock, waiting for it if need be. In ``async def`` use ``async with``.

        :raises RuntimeError: if the same request has it already; or if somebody else has it, and this code runs on the
            event loop without a greenlet (``run="inline"``, or ``async def``), so that waiting would hold everybody.
        """
        me = _myself()
        if self._take(me):
            return
        if can_wait():
            await_(self._wait_in_turn(me))
        elif asyncio._get_running_loop() is not None:
            raise RuntimeError(
                "the lock is held, and waiting for it here would hold the event loop: use 'async with' in async def, "
                'and run="greenlet" or run="thread" for a def controller'
            )
        else:
            self._stand_still(me)

    def release(self) -> None:
        """Let the next one through. :raises RuntimeError: if nobody has the lock."""
        with self._guard:
            if self._owner is None:
                raise RuntimeError("release() of a lock that nobody holds")
            self._pass_on()

    def locked(self) -> bool:
        """Whether somebody has it."""
        return self._owner is not None

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    async def __aenter__(self) -> None:
        me = _myself()
        if not self._take(me):
            await self._wait_in_turn(me)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def _take(self, me: _Identity, waiter: _Waiter | None = None) -> bool:
        """Take the lock if it is free; else let ``waiter`` stand in line."""
        with self._guard:
            if self._owner is None:
                self._owner = me
                return True
            if any(each in self._owner for each in me):
                raise RuntimeError("this request (or thread) holds the lock already, and would wait for itself")
            if waiter is not None:
                self._waiting.append(waiter)
            return False

    async def _wait_in_turn(self, me: _Identity) -> None:
        waiter = _InCoroutine(me)
        if self._take(me, waiter):
            return
        try:
            await waiter.turn
        except BaseException:
            self._give_up(waiter)
            raise

    def _stand_still(self, me: _Identity) -> None:
        waiter = _InThread(me)
        if self._take(me, waiter):
            return
        try:
            waiter.turn.wait()
        except BaseException:  # Ctrl+C
            self._give_up(waiter)
            raise

    def _give_up(self, waiter: _Waiter) -> None:
        """Leave the line; or, if the lock has just been handed over, hand it on."""
        with self._guard:
            if waiter.has_it:
                self._pass_on()
            elif waiter in self._waiting:
                self._waiting.remove(waiter)

    def _pass_on(self) -> None:
        """Hand the lock over to the next in line: nobody who comes later can snatch it."""
        while self._waiting:
            waiter = self._waiting.popleft()
            self._owner, waiter.has_it = waiter.who, True
            if waiter.wake():
                return
            waiter.has_it = False
        self._owner = None

    def __repr__(self) -> str:
        state = f"held, {len(self._waiting)} waiting" if self.locked() else "free"
        return f"<atlas.Lock {state}>"


class _Waiter(ABC):
    """Somebody in line."""

    __slots__ = ("has_it", "who")

    def __init__(self, who: _Identity) -> None:
        self.who = who
        self.has_it = False

    @abstractmethod
    def wake(self) -> bool:
        """It is its turn. False if it cannot be reached any more."""


class _InCoroutine(_Waiter):
    __slots__ = ("_loop", "turn")

    def __init__(self, who: _Identity) -> None:
        super().__init__(who)
        self._loop = asyncio.get_running_loop()
        self.turn: asyncio.Future[None] = self._loop.create_future()

    def wake(self) -> bool:
        try:
            if asyncio._get_running_loop() is self._loop:
                self._come()
            else:
                self._loop.call_soon_threadsafe(self._come)
        except RuntimeError:  # the loop was closed
            return False
        return True

    def _come(self) -> None:
        if not self.turn.done():
            self.turn.set_result(None)


class _InThread(_Waiter):
    __slots__ = ("turn",)

    def __init__(self, who: _Identity) -> None:
        super().__init__(who)
        self.turn = threading.Event()

    def wake(self) -> bool:
        self.turn.set()
        return True


def _myself() -> _Identity:
    """Who takes a lock here, by all that tells one request from another: its task, its greenlet, or its thread."""
    if asyncio._get_running_loop() is None:
        errand = errand_here()
        return (threading.get_ident(),) if errand is None or errand.task is None else (errand.task,)
    task, greenlet = asyncio.current_task(), getcurrent()
    on_its_own = greenlet.parent is not None  # the first greenlet of a thread is everybody's
    return tuple(each for each in (task, greenlet if on_its_own else None) if each is not None)
