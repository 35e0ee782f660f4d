"""Savepoints of SQLite that can be relied on.

Python's ``sqlite3`` begins a transaction before the first INSERT, UPDATE or DELETE, not before a SAVEPOINT. One that
comes first would be the transaction itself, and its RELEASE would commit (https://www.sqlite.org/lang_savepoint.html).
So a BEGIN goes before it. Nothing else changes: reading takes no lock that lasts, as ever with this driver.
"""

from __future__ import annotations

from sqlalchemy import Connection, Engine, event

__all__ = ["repair_savepoints"]


def repair_savepoints(engine: Engine) -> None:
    """Let an engine begin a transaction before its first savepoint, if it is one of SQLite's."""
    if engine.dialect.name == "sqlite":
        event.listen(engine, "savepoint", _begin)


def _begin(connection: Connection, name: str | None) -> None:
    if not getattr(connection.connection.driver_connection, "in_transaction", True):
        connection.exec_driver_sql("BEGIN")
