"""Working savepoints for SQLite.

Python's ``sqlite3`` begins a transaction before the first INSERT, UPDATE or DELETE, but not before a SAVEPOINT. A
savepoint outside of a transaction is the transaction itself, and its RELEASE commits
(https://www.sqlite.org/lang_savepoint.html). Therefore a BEGIN is sent before it. Read locks do not change.
"""

from __future__ import annotations

from sqlalchemy import Connection, Engine, event

__all__ = ["repair_savepoints"]


def repair_savepoints(engine: Engine) -> None:
    """Send BEGIN before a savepoint outside of a transaction, if the engine is one of SQLite's."""
    if engine.dialect.name == "sqlite":
        event.listen(engine, "savepoint", _begin)


def _begin(connection: Connection, name: str | None) -> None:
    if not getattr(connection.connection.driver_connection, "in_transaction", True):
        connection.exec_driver_sql("BEGIN")
