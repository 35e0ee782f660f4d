"""The engines of a database: one for each event loop, because a connection belongs to the loop that opened it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from atlas.sqlalchemy.shared_transaction import SharedTransaction

__all__ = ["Engines", "LoopEngine"]


class LoopEngine:
    """The engine of one event loop, with its sessions.

    :param engine: the engine.
    :param options: options of the sessions.
    :param in_shared_transaction: whether to begin a shared transaction, for a test.

    :ivar users: how many users have acquired the engine; it is disposed of when the last one releases it.
    :ivar transaction: the shared transaction of the current test, or None.
    """

    def __init__(self, engine: AsyncEngine, options: Mapping[str, Any], *, in_shared_transaction: bool) -> None:
        self.engine = engine
        self.users = 0
        self.transaction: SharedTransaction | None = None
        # A closed session cannot be used again: it would take a connection that is never returned. Objects do not
        # expire on commit: a coroutine could not wait for them to be read again.
        self._options = {"close_resets_only": False, "expire_on_commit": False, **options}
        self._sessionmaker: async_sessionmaker[AsyncSession] = async_sessionmaker(engine, **self._options)
        if in_shared_transaction:
            self.begin_shared_transaction()

    def new_session(self) -> AsyncSession:
        """Return a new session."""
        return self._sessionmaker()

    def begin_shared_transaction(self) -> None:
        """Run all sessions from now on in one transaction, which is never committed."""
        self.transaction = SharedTransaction(self.engine, self._options)

    async def close_shared_transaction(self) -> None:
        """Roll the shared transaction back, if there is one."""
        transaction, self.transaction = self.transaction, None
        if transaction is not None:
            await transaction.close()

    async def dispose(self) -> None:
        """Close all connections."""
        await self.close_shared_transaction()
        await self.engine.dispose()


class Engines:
    """The engines of a database, by event loop.

    :param make_engine: makes an engine.
    :param options: options of the sessions.
    """

    def __init__(self, make_engine: Callable[[], AsyncEngine], options: Mapping[str, Any]) -> None:
        self._make_engine = make_engine
        self._options = dict(options)
        self._by_loop: dict[asyncio.AbstractEventLoop, LoopEngine] = {}
        self._in_shared_transaction = False

    def current(self) -> LoopEngine:
        """Return the engine of the running loop, which is made at the first call.

        :raises RuntimeError: if no loop is running.
        """
        loop = asyncio.get_running_loop()
        found = self._by_loop.get(loop)
        if found is None:
            for each in list(self._by_loop):  # a copy: other threads may have loops
                if each.is_closed():
                    self._by_loop.pop(each, None)
            found = LoopEngine(self._make_engine(), self._options, in_shared_transaction=self._in_shared_transaction)
            self._by_loop[loop] = found
        return found

    def all(self) -> list[AsyncEngine]:
        """Return the engines of all loops."""
        return [each.engine for each in list(self._by_loop.values())]

    def newest_loop(self) -> asyncio.AbstractEventLoop | None:
        """Return the open loop whose engine was made last, or None."""
        return next((loop for loop in reversed(list(self._by_loop)) if not loop.is_closed()), None)

    def acquire(self) -> None:
        """Keep the engine of the running loop until :meth:`release`."""
        self.current().users += 1

    async def release(self) -> None:
        """Dispose of the engine of the running loop, unless it has another user."""
        loop = asyncio.get_running_loop()
        found = self._by_loop.get(loop)
        if found is None:
            return
        found.users -= 1
        if found.users <= 0:
            del self._by_loop[loop]
            await found.dispose()

    def check_not_in_shared_transaction(self) -> None:
        """Check that a function may run in a loop of its own, where it would not see the shared transaction.

        :raises RuntimeError: inside :meth:`Database.rolled_back`.
        """
        if self._in_shared_transaction:
            raise RuntimeError("start the application first: 'with TestClient(app) as client', then db.run(function)")

    def begin_shared_transactions(self) -> None:
        """Begin a shared transaction on every loop.

        :raises RuntimeError: if there is one already.
        """
        if self._in_shared_transaction:
            raise RuntimeError("this database is in rolled_back() already: only one block at a time")
        self._in_shared_transaction = True
        for each in list(self._by_loop.values()):
            each.begin_shared_transaction()

    def close_shared_transactions(self) -> None:
        """Roll back on every loop. A loop that is not running is run, so it has to belong to the current thread."""
        for loop, each in self._end_shared_transactions():
            if loop.is_running():
                asyncio.run_coroutine_threadsafe(each.close_shared_transaction(), loop).result()
            else:
                loop.run_until_complete(each.close_shared_transaction())

    async def aclose_shared_transactions(self) -> None:
        """Roll back on every loop that is running; for a coroutine."""
        current = asyncio.get_running_loop()
        for loop, each in self._end_shared_transactions():
            if loop is current:
                await each.close_shared_transaction()
            elif loop.is_running():
                await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(each.close_shared_transaction(), loop))

    def _end_shared_transactions(self) -> list[tuple[asyncio.AbstractEventLoop, LoopEngine]]:
        self._in_shared_transaction = False
        return [(loop, each) for loop, each in list(self._by_loop.items()) if not loop.is_closed()]
