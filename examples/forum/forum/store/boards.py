"""The boards."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Board:
    """A board with the number of its threads."""

    number: int
    slug: str
    name: str
    about: str
    threads: int


_BOARDS = """
    SELECT number, slug, name, about, (SELECT count(*) FROM threads WHERE threads.board = boards.number)
    FROM boards
"""


def every(db: sqlite3.Connection) -> list[Board]:
    """Return all boards."""
    return [Board(*row) for row in db.execute(f"{_BOARDS} ORDER BY number")]


def find(db: sqlite3.Connection, slug: str) -> Board | None:
    """Return the board with this slug, or None."""
    row = db.execute(f"{_BOARDS} WHERE slug = ?", (slug,)).fetchone()
    return Board(*row) if row else None


def insert(db: sqlite3.Connection, slug: str, name: str, about: str) -> int:
    """Insert a board and return its number."""
    cursor = db.execute("INSERT INTO boards (slug, name, about) VALUES (?, ?, ?)", (slug, name, about))
    assert cursor.lastrowid is not None
    return cursor.lastrowid
