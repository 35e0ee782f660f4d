"""The transaction around a test: what is committed inside of it is rolled back at the end."""

from __future__ import annotations

import asyncio
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, async_sessionmaker

__all__ = ["SharedTransaction"]


class SharedTransaction:
    """One connection and one transaction for all sessions of an event loop, with a savepoint for each session.

    Sessions use it one at a time: a connection serves one session, and savepoints have to end in reverse order. A
    session that is opened inside the scope of another one shares its turn.

    :param engine: the engine that opens the connection.
    :param options: options of the sessions.
    """

    def __init__(self, engine: AsyncEngine, options: dict[str, Any]) -> None:
        self._engine = engine
        self._options = options
        self._lock = asyncio.Lock()
        self._connection: AsyncConnection | None = None
        self._closed = False

    async def acquire(self, *, nested: bool) -> None:
        """Wait until the transaction is free, and open the connection if that is not done yet.

        :param nested: whether the caller is inside the scope of another session, and has acquired the transaction.
        :raises RuntimeError: if the test has ended.
        """
        if not nested:
            await self._lock.acquire()
        try:
            if self._closed:
                raise RuntimeError("the test of this request has ended, and its transaction is closed")
            if self._connection is None:
                connection = await self._engine.connect()
                await connection.begin()
                self._connection = connection
        except BaseException:
            self.release(nested=nested)
            raise

    def release(self, *, nested: bool) -> None:
        """Let the next session use the transaction."""
        if not nested:
            self._lock.release()

    def new_session(self) -> AsyncSession:
        """Return a session whose commit and rollback end only its savepoint."""
        sessionmaker: async_sessionmaker[AsyncSession]
        sessionmaker = async_sessionmaker(self._connection, join_transaction_mode="create_savepoint", **self._options)
        return sessionmaker()

    async def close(self) -> None:
        """Roll back and close the connection."""
        async with self._lock:
            self._closed = True
            connection, self._connection = self._connection, None
            if connection is not None:
                await connection.close()
