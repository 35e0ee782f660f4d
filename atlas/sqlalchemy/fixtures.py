"""A pytest fixture that rolls the database back after each test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from atlas.sqlalchemy.database import Database

__all__ = ["rollback_fixture"]


def rollback_fixture(database: Database, *, autouse: bool = False) -> Any:
    """Return a pytest fixture ``rollback``, whose value is the database: ``rollback = rollback_fixture(db)``.

    A test that uses the fixture runs inside :meth:`Database.rolled_back`.

    :param database: the database.
    :param autouse: whether every test uses the fixture.
    """
    import pytest

    @pytest.fixture(name="rollback", autouse=autouse)
    def rollback() -> Iterator[Database]:
        with database.rolled_back():
            yield database

    return rollback
