"""A pytest fixture of one line: each test leaves the database as it found it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from atlas.sqlalchemy.database import Database

__all__ = ["rollback_fixture"]


def rollback_fixture(database: Database, *, autouse: bool = False) -> Any:
    """``rollback = rollback_fixture(db)`` in a ``conftest.py`` is a fixture ``rollback``, whose value is ``db``.

    A test that asks for it, or every test with ``autouse``, runs inside of :meth:`Database.rolled_back`.
    """
    import pytest

    @pytest.fixture(name="rollback", autouse=autouse)
    def rollback() -> Iterator[Database]:
        with database.rolled_back():
            yield database

    return rollback
