"""Sessions in the database: they survive a restart, and a logout deletes them."""

from __future__ import annotations

import sqlite3
import time

from forum.store.database import Database


class SessionStore:
    """A session store for :class:`atlas.Sessions`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, name: str) -> bytes | None:
        return await self._database.call(_get, name)

    async def set(self, name: str, data: bytes, seconds: float) -> None:
        await self._database.call(_set, name, data, time.time() + seconds)

    async def delete(self, name: str) -> None:
        await self._database.call(_delete, name)

    async def touch(self, name: str, seconds: float) -> None:
        await self._database.call(_touch, name, time.time() + seconds)


def _get(db: sqlite3.Connection, name: str) -> bytes | None:
    row = db.execute("SELECT data FROM sessions WHERE name = ? AND expires > ?", (name, time.time())).fetchone()
    return row[0] if row else None


def _set(db: sqlite3.Connection, name: str, data: bytes, expires: float) -> None:
    db.execute("REPLACE INTO sessions (name, data, expires) VALUES (?, ?, ?)", (name, data, expires))


def _delete(db: sqlite3.Connection, name: str) -> None:
    db.execute("DELETE FROM sessions WHERE name = ?", (name,))


def _touch(db: sqlite3.Connection, name: str, expires: float) -> None:
    db.execute("UPDATE sessions SET expires = ? WHERE name = ?", (expires, name))


def sweep(db: sqlite3.Connection) -> int:
    """Delete expired sessions and return their number."""
    return db.execute("DELETE FROM sessions WHERE expires <= ?", (time.time(),)).rowcount
