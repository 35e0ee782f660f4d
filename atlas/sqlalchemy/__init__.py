"""The SQLAlchemy integration: sessions for requests, used synchronously in ``def`` controllers on async drivers.

    from atlas import Application, Route
    from atlas.sqlalchemy import Database

    db = Database("sqlite+aiosqlite:///notes.db")

    def notes(request):
        return {"notes": [note.text for note in db.session.scalars(select(Note))]}

    app = Application([Route("/notes", notes)], middleware=[db])

The modules: ``database`` is the public interface; ``session_scope`` is a session with its commit or rollback;
``engines`` has an engine for each event loop; ``shared_transaction`` is the transaction around a test; ``urls`` checks
for drivers that would block; ``savepoints`` makes those of SQLite work; ``fixtures`` is for pytest.

The package uses the public names of ``atlas.web`` and the greenlets of the gateway. No other package imports it, so
that Atlas runs without SQLAlchemy. SQLAlchemy's async extension requires asyncio, so this package uses asyncio too.
"""

from __future__ import annotations

from atlas.sqlalchemy.database import Database
from atlas.sqlalchemy.fixtures import rollback_fixture

__all__ = ["Database", "rollback_fixture"]
