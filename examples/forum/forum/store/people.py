"""The members of the forum."""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
import time
from dataclasses import dataclass

COLUMNS = "people.number, people.name, people.about, people.picture, people.joined"


@dataclass(frozen=True, slots=True)
class Person:
    """A member. The password is not an attribute, so that it cannot be shown by accident."""

    number: int
    name: str
    about: str
    picture: str | None
    joined: int


class NameTaken(Exception):
    """This name is taken."""


def register(db: sqlite3.Connection, name: str, password: str) -> int:
    """Insert a member and return its number.

    :param password: a hash of :func:`forum.passwords.hash_password`.
    :raises NameTaken: if a member has this name, in upper or lower case.
    """
    try:
        return insert(db, name, password, joined=int(time.time()))
    except sqlite3.IntegrityError:
        raise NameTaken(name) from None


def insert(db: sqlite3.Connection, name: str, password: str, *, joined: int, about: str = "") -> int:
    """Insert a member and return its number."""
    values = (name, password, about, joined)
    cursor = db.execute("INSERT INTO people (name, password, about, joined) VALUES (?, ?, ?, ?)", values)
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def find(db: sqlite3.Connection, number: int) -> Person | None:
    """Return the member with this number, or None."""
    row = db.execute(f"SELECT {COLUMNS} FROM people WHERE number = ?", (number,)).fetchone()
    return Person(*row) if row else None


def find_by_name(db: sqlite3.Connection, name: str) -> Person | None:
    """Return the member with this name, or None."""
    row = db.execute(f"SELECT {COLUMNS} FROM people WHERE name = ?", (name,)).fetchone()
    return Person(*row) if row else None


def find_password(db: sqlite3.Connection, name: str) -> tuple[int, str] | None:
    """Return number and hashed password of the member with this name, or None."""
    row: tuple[int, str] | None = db.execute("SELECT number, password FROM people WHERE name = ?", (name,)).fetchone()
    return row


def find_by_token(db: sqlite3.Connection, token: str) -> Person | None:
    """Return the member with this token for the JSON API, or None."""
    row = db.execute(f"SELECT {COLUMNS} FROM people WHERE token = ?", (_digest(token),)).fetchone()
    return Person(*row) if row else None


def give_token(db: sqlite3.Connection, number: int) -> str:
    """Create a token for the JSON API and return it. It replaces the previous one; only its hash is stored."""
    token = secrets.token_urlsafe(24)
    db.execute("UPDATE people SET token = ? WHERE number = ?", (_digest(token), number))
    return token


def describe(db: sqlite3.Connection, number: int, about: str, picture: str | None) -> str | None:
    """Change the profile of a member. Return the previous picture if no other member uses it."""
    (before,) = db.execute("SELECT picture FROM people WHERE number = ?", (number,)).fetchone()
    db.execute("UPDATE people SET about = ?, picture = ? WHERE number = ?", (about, picture, number))
    in_use = db.execute("SELECT 1 FROM people WHERE picture = ?", (before,)).fetchone()
    return None if in_use else before


def _digest(token: str) -> bytes:
    """A long random token needs neither a salt nor a slow hash: it cannot be guessed."""
    return hashlib.sha256(token.encode()).digest()
