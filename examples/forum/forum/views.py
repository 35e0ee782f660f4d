"""View counts of threads: counted in memory, written by a background function."""

from __future__ import annotations

from collections import Counter

from atlas import Application

from forum.store import threads
from forum.store.database import Database


class Views:
    """Counts views.

    The first view adds a background function that writes the counts after the response. Views until then are written
    with it, so that many views need one write.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._counted: Counter[int] = Counter()

    def count(self, app: Application, thread: int) -> None:
        """Count a view of a thread."""
        if not self._counted:
            app.background(self._write)
        self._counted[thread] += 1

    async def _write(self) -> None:
        counted, self._counted = self._counted, Counter()
        await self._database.call(threads.add_views, counted)
