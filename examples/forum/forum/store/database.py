"""The SQLite database, called in threads so that it does not block the event loop."""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeAlias, TypeVar

from atlas import AsyncRequest, StartupError, in_thread

P = ParamSpec("P")
T = TypeVar("T")
VERSION = 1  # of the tables in schema.sql
Work: TypeAlias = Callable[Concatenate[sqlite3.Connection, P], T]


class Database:
    """A SQLite file. Each call has a connection and a transaction of its own.

    ``sqlite3`` blocks while it waits for the disk, so it is called in threads. With a write-ahead log, readers and the
    writer do not wait for each other.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._idle: deque[sqlite3.Connection] = deque()  # at most one per thread of the pool

    async def call(self, work: Work[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call ``work(connection, *args)`` in a thread and return its result.

        The transaction is committed if ``work`` returns, and rolled back if it raises.
        """
        return await in_thread(lambda: self.call_here(work, *args, **kwargs))

    def call_here(self, work: Work[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do the same in the current thread: for scripts and for the startup."""
        connection = self._idle.pop() if self._idle else self._open()
        try:
            with connection:
                return work(connection, *args, **kwargs)
        finally:
            self._idle.append(connection)

    def _open(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # One thread at a time uses a connection, but not always the same thread.
        connection = sqlite3.connect(self._path, timeout=10, check_same_thread=False)
        connection.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON;")
        return connection

    def close(self) -> None:
        """Close the connections."""
        while self._idle:
            self._idle.pop().close()


async def ask(request: AsyncRequest, work: Work[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call ``work`` with the database of the application: ``await ask(request, threads.find, 7)``."""
    database: Database = request.app.state.database
    return await database.call(work, *args, **kwargs)


def create_tables(db: sqlite3.Connection) -> bool:
    """Create the tables in a new file, and return whether it is new.

    :raises StartupError: if the tables belong to another version of the forum.
    """
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version == 0:
        schema = Path(__file__).with_name("schema.sql").read_text(encoding="utf-8")
        db.executescript(f"BEGIN IMMEDIATE; {schema} COMMIT;")
    elif version != VERSION:
        (_, _, path) = db.execute("PRAGMA database_list").fetchone()
        raise StartupError(f"{path} is of version {version} of the forum, and this is version {VERSION}: move it away")
    return bool(version == 0)
