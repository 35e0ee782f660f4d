"""SQLAlchemy in an application: its plain ORM in ``def`` controllers, and nobody waits for anybody's query.

    from atlas import Application, Route
    from atlas.sqlalchemy import Database

    db = Database("sqlite+aiosqlite:///notes.db")

    def notes(request):
        return {"notes": [note.text for note in db.session.scalars(select(Note))]}

    app = Application([Route("/notes", notes)], middleware=[db])

``database`` is what a program sees; ``units`` is a session and its end, ``engines`` what belongs to an event loop,
``rolled_back`` the transaction around a test, ``urls`` the check for drivers that would block, ``savepoints`` a repair
of SQLite's, ``fixtures`` pytest's way in.

The room stands above the web half: it imports the public names of ``atlas.web`` and the gateway's greenlets, and no
other room imports it, so that Atlas runs without SQLAlchemy. SQLAlchemy's async half is asyncio's, so this room knows
asyncio. Its name hides nothing: imports are absolute, ``import sqlalchemy`` is the real one everywhere.
"""

from __future__ import annotations

from atlas.sqlalchemy.database import Database
from atlas.sqlalchemy.fixtures import rollback_fixture

__all__ = ["Database", "rollback_fixture"]
