"""Locks in a store: one holder, or one computation, at a time in all processes that share it."""

from __future__ import annotations

import logging
import random
import secrets
import time
from collections.abc import Awaitable, Callable, Iterator
from types import TracebackType
from typing import Any

from atlas.gateway.cancellation import run_to_end, undone_when_cancelled
from atlas.gateway.greenlets import await_
from atlas.gateway.timeouts import sleep
from atlas.web.option_checks import check_seconds
from atlas.web.stores.store import Store, call_store, missing_methods

__all__ = ["CacheLock", "compute_once"]

_log = logging.getLogger("atlas.web")
_FIRST_PAUSE, _LAST_PAUSE = 0.01, 0.25  # seconds between two tries


class CacheLock:
    """A lock in a store, for one ``with`` or ``async with``; see :meth:`atlas.Cache.lock`."""

    __slots__ = ("_name", "_seconds", "_store", "_token", "_wait")

    def __init__(self, store: Any, name: str, seconds: float, wait: float | None) -> None:
        if missing := missing_methods(store, "add", "release"):
            raise TypeError(f"Cache: lock: expected a store with add and release; {store!r} has no {missing}")
        check_seconds("Cache: lock: seconds", seconds)
        if wait is not None and not wait >= 0:
            raise ValueError(f"Cache: lock: wait: expected 0 or more seconds, got {wait!r}")
        self._store, self._name, self._seconds, self._wait = store, name, seconds, wait
        self._token = b""

    async def __aenter__(self) -> None:
        token = secrets.token_bytes(16)
        end = None if self._wait is None else time.monotonic() + self._wait
        pauses = _pauses()
        while not await _acquire(self._store, self._name, token, self._seconds):
            if end is not None and time.monotonic() >= end:
                raise TimeoutError(f"the lock {self._name!r} was not free within {self._wait:g} s")
            await sleep(next(pauses))
        self._token = token

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        token, self._token = self._token, b""
        if token and not await _release(self._store, self._name, token):
            _log.warning("the lock %r has expired after %g s, before its holder released it", self._name, self._seconds)

    def __enter__(self) -> None:
        await_(self.__aenter__())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await_(self.__aexit__(kind, error, trace))


async def compute_once(
    store: Store,
    name: str,
    find: Callable[[], Awaitable[Any]],
    compute: Callable[[], Awaitable[Any]],
    missing: Any,
    seconds: float,
) -> Any:
    """Compute a value, or wait for the process that computes it.

    :param store: a store with ``add`` and ``release``.
    :param name: name of the entry that tells that a process computes.
    :param find: returns the value, or ``missing``.
    :param compute: computes and saves the value.
    :param missing: stands for no value.
    :param seconds: how long another process is waited for; then the value is computed here.
    :returns: the value.
    """
    token, end = secrets.token_bytes(16), time.monotonic() + seconds
    for pause in _pauses():
        if await _acquire(store, name, token, seconds):
            try:
                found = await find()  # another process may have saved it meanwhile
                return await compute() if found is missing else found
            finally:
                await _release(store, name, token)
        await sleep(pause)
        found = await find()
        if found is not missing:
            return found
        if time.monotonic() >= end:
            break
    return await compute()


async def _acquire(store: Any, name: str, token: bytes, seconds: float) -> bool:
    """Add an entry with a token, and return whether it is there.

    A caller that is cancelled meanwhile leaves no entry: the store may have saved it already, and others would wait for
    it until it expires. A client of a store sends a command again if the connection was lost before the answer; then
    the entry is that of the first time.
    """

    async def add() -> bool:
        if await call_store(store.add, name, token, seconds):
            return True
        kept: bytes | None = await call_store(store.get, name)
        return kept == token

    return await undone_when_cancelled(add(), lambda: call_store(store.release, name, token))


async def _release(store: Any, name: str, token: bytes) -> bool:
    """Delete an entry if it has the token, even if the caller is cancelled meanwhile."""
    return await run_to_end(call_store(store.release, name, token))


def _pauses() -> Iterator[float]:
    """Iterate over the seconds to wait between tries: short at first, and not the same in all processes."""
    pause = _FIRST_PAUSE
    while True:
        yield pause * random.uniform(0.5, 1.0)
        pause = min(pause * 1.5, _LAST_PAUSE)
