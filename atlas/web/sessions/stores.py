"""The interface of session stores, and how sessions use it. Each method of a store may be ``def`` or ``async def``.

A request may end a session (logout, or a new name) while another one, which began before, still works with it. The
other request must not bring the session back when it saves its changes: its save is conditional.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import ParamSpec, Protocol, TypeVar

from atlas.gateway.greenlets import in_greenlet
from atlas.web.controllers import is_async

__all__ = ["SessionStore", "Store"]

P = ParamSpec("P")
T = TypeVar("T")
_ENDED = "ended:"  # prefix of a name, for a session that has ended; names of sessions have no colon


class Store(Protocol):
    """Keeps bytes under a name for a time. A name may contain any characters; a store must not use it as a path.

    A store may have a fifth method, ``replace(name, data, seconds)``: save a session if there is one of that name, in
    one step, and return whether there was (``SET ... XX`` of Redis, ``UPDATE ... WHERE`` of SQL). Without it, three
    calls do the same, and an ended session leaves a short entry in the store until it would have expired.
    """

    def get(self, name: str) -> bytes | Awaitable[bytes | None] | None:
        """Return the data of a session.

        :param name: the name.
        :returns: the data; None for an unknown or expired session.
        """

    def set(self, name: str, data: bytes, seconds: float) -> Awaitable[None] | None:
        """Save a session, and replace one of the same name.

        :param name: the name.
        :param data: the data.
        :param seconds: time until the session expires.
        """

    def delete(self, name: str) -> Awaitable[None] | None:
        """Delete a session; an unknown name is ignored.

        :param name: the name.
        """

    def touch(self, name: str, seconds: float) -> Awaitable[None] | None:
        """Extend the time of a session; an unknown name is ignored.

        :param name: the name.
        :param seconds: time from now until the session expires.
        """


class SessionStore:
    """Loads and saves the sessions of a store, and keeps ended sessions ended.

    :param store: the store.
    :param seconds: time until a session expires.
    """

    __slots__ = ("_replace", "_seconds", "_store")

    def __init__(self, store: Store, seconds: float) -> None:
        self._store = store
        self._seconds = seconds
        self._replace: Callable[[str, bytes, float], Awaitable[bool] | bool] | None = getattr(store, "replace", None)

    async def get(self, name: str) -> bytes | None:
        """Return the data of a session; None for an unknown or expired one.

        :param name: the name.
        """
        return await _call(self._store.get, name)

    async def add(self, name: str, data: bytes) -> None:
        """Save a new session.

        :param name: a name that was not used before.
        :param data: the data.
        """
        await _call(self._store.set, name, data, self._seconds)

    async def replace(self, name: str, data: bytes) -> bool:
        """Save a session, unless another request has ended it.

        :param name: the name.
        :param data: the data.
        :returns: whether it was saved.
        """
        if self._replace is not None:
            return bool(await _call(self._replace, name, data, self._seconds))
        if await self.get(name) is None:
            return False
        await _call(self._store.set, name, data, self._seconds)
        if await self.get(_ENDED + name) is None:
            return True
        await _call(self._store.delete, name)  # it was ended between the two calls above
        return False

    async def touch(self, name: str) -> bool:
        """Extend the time of a session.

        :param name: the name.
        :returns: whether there is such a session.
        """
        await _call(self._store.touch, name, self._seconds)
        return await self.get(name) is not None

    async def end(self, name: str) -> None:
        """End a session.

        :param name: the name.
        """
        if self._replace is None:
            await _call(self._store.set, _ENDED + name, b"1", self._seconds)
        await _call(self._store.delete, name)


async def _call(function: Callable[P, T | Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a method of a store. A ``def`` method runs in a greenlet, where it may wait."""
    if is_async(function):
        result = function(*args, **kwargs)
    else:
        result = await in_greenlet(function, *args, **kwargs)
    return await result if isawaitable(result) else result
