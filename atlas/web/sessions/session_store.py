"""How sessions use a store.

A request may end a session (logout, or a new name) while another one, which began before, still works with it. The
other request must not bring the session back when it saves its changes: its save is conditional.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from atlas.web.stores.store import Store, call_store

__all__ = ["SessionStore"]

_ENDED = "ended:"  # prefix of a name, for a session that has ended; names of sessions have no colon


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
        return await call_store(self._store.get, name)

    async def add(self, name: str, data: bytes) -> None:
        """Save a new session.

        :param name: a name that was not used before.
        :param data: the data.
        """
        await call_store(self._store.set, name, data, self._seconds)

    async def replace(self, name: str, data: bytes) -> bool:
        """Save a session, unless another request has ended it.

        :param name: the name.
        :param data: the data.
        :returns: whether it was saved.
        """
        if self._replace is not None:
            return bool(await call_store(self._replace, name, data, self._seconds))
        if await self.get(name) is None:
            return False
        await call_store(self._store.set, name, data, self._seconds)
        if await self.get(_ENDED + name) is None:
            return True
        await call_store(self._store.delete, name)  # it was ended between the two calls above
        return False

    async def touch(self, name: str) -> bool:
        """Extend the time of a session.

        :param name: the name.
        :returns: whether there is such a session.
        """
        await call_store(self._store.touch, name, self._seconds)
        return await self.get(name) is not None

    async def end(self, name: str) -> None:
        """End a session.

        :param name: the name.
        """
        if self._replace is None:
            await call_store(self._store.set, _ENDED + name, b"1", self._seconds)
        await call_store(self._store.delete, name)
