"""How often threads are read: counted in memory, and written down when there is time for it."""

from __future__ import annotations

from collections import Counter

from atlas import Application

from forum.store import threads
from forum.store.database import Database


class Views:
    """Counts what was read.

    A page that is read a thousand times in a second shall not write a thousand times: the first one asks for a job that
    writes, which comes after the response, and whatever else is counted until it runs it takes along.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._counted: Counter[int] = Counter()

    def count(self, app: Application, thread: int) -> None:
        """Somebody has read a thread."""
        if not self._counted:
            app.background(self._write)
        self._counted[thread] += 1

    async def _write(self) -> None:
        counted, self._counted = self._counted, Counter()
        await self._database.call(threads.add_views, counted)
