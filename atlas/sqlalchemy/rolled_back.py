"""The transaction around a test: whatever is committed inside of it is gone at its end."""

from __future__ import annotations

import asyncio
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, async_sessionmaker

__all__ = ["Sandbox"]


class Sandbox:
    """One connection and one transaction for all sessions of an event loop, each of which gets a savepoint in it.

    They take turns, for a connection serves one at a time, and savepoints end in the order opposite to that in which
    they began. One that is opened inside of another's turn shares it.

    :param options: of the sessions.
    """

    def __init__(self, engine: AsyncEngine, options: dict[str, Any]) -> None:
        self._engine = engine
        self._options = options
        self._turn = asyncio.Lock()
        self._connection: AsyncConnection | None = None
        self._closed = False

    async def enter(self, *, inside: bool) -> None:
        """Wait for a turn, and for the connection where nobody needed it yet.

        :param inside: of somebody's turn. :raises RuntimeError: if the test is over.
        """
        if not inside:
            await self._turn.acquire()
        try:
            if self._closed:
                raise RuntimeError("the test that this request belongs to is over, and so is its transaction")
            if self._connection is None:
                connection = await self._engine.connect()
                await connection.begin()
                self._connection = connection
        except BaseException:
            self.leave(inside=inside)
            raise

    def leave(self, *, inside: bool) -> None:
        """It is the next one's turn."""
        if not inside:
            self._turn.release()

    def new_session(self) -> AsyncSession:
        """A session whose commit and rollback end its savepoint, and nothing more."""
        make: async_sessionmaker[AsyncSession]
        make = async_sessionmaker(self._connection, join_transaction_mode="create_savepoint", **self._options)
        return make()

    async def close(self) -> None:
        """Roll everything back."""
        async with self._turn:
            self._closed = True
            connection, self._connection = self._connection, None
            if connection is not None:
                await connection.close()
