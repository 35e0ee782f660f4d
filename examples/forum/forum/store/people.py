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
    """Somebody who writes here. The password is not in it, so that it gets nowhere by accident."""

    number: int
    name: str
    about: str
    picture: str | None
    joined: int


class NameTaken(Exception):
    """Somebody is called that already."""


def register(db: sqlite3.Connection, name: str, password: str) -> int:
    """A new member.

    :param password: as :func:`forum.passwords.hash_password` has made it.
    :raises NameTaken: if there is one of that name, in capitals or not.
    """
    try:
        return insert(db, name, password, joined=int(time.time()))
    except sqlite3.IntegrityError:
        raise NameTaken(name) from None


def insert(db: sqlite3.Connection, name: str, password: str, *, joined: int, about: str = "") -> int:
    """Write a member down as it is."""
    values = (name, password, about, joined)
    cursor = db.execute("INSERT INTO people (name, password, about, joined) VALUES (?, ?, ?, ?)", values)
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def find(db: sqlite3.Connection, number: int) -> Person | None:
    """The member of that number."""
    row = db.execute(f"SELECT {COLUMNS} FROM people WHERE number = ?", (number,)).fetchone()
    return Person(*row) if row else None


def find_by_name(db: sqlite3.Connection, name: str) -> Person | None:
    """The member of that name."""
    row = db.execute(f"SELECT {COLUMNS} FROM people WHERE name = ?", (name,)).fetchone()
    return Person(*row) if row else None


def find_password(db: sqlite3.Connection, name: str) -> tuple[int, str] | None:
    """Number and hashed password of the member of that name."""
    row: tuple[int, str] | None = db.execute("SELECT number, password FROM people WHERE name = ?", (name,)).fetchone()
    return row


def find_by_token(db: sqlite3.Connection, token: str) -> Person | None:
    """The member who was given this token for the JSON API."""
    row = db.execute(f"SELECT {COLUMNS} FROM people WHERE token = ?", (_digest(token),)).fetchone()
    return Person(*row) if row else None


def give_token(db: sqlite3.Connection, number: int) -> str:
    """A new token for the JSON API. The one before ends; this one is told once and kept as a hash."""
    token = secrets.token_urlsafe(24)
    db.execute("UPDATE people SET token = ? WHERE number = ?", (_digest(token), number))
    return token


def describe(db: sqlite3.Connection, number: int, about: str, picture: str | None) -> str | None:
    """Change what a member says of itself. Gives the picture from before, if nobody needs it any more."""
    (before,) = db.execute("SELECT picture FROM people WHERE number = ?", (number,)).fetchone()
    db.execute("UPDATE people SET about = ?, picture = ? WHERE number = ?", (about, picture, number))
    in_use = db.execute("SELECT 1 FROM people WHERE picture = ?", (before,)).fetchone()
    return None if in_use else before


def _digest(token: str) -> bytes:
    """A long random token needs no salt and no slowness: nobody can go through all of them."""
    return hashlib.sha256(token.encode()).digest()
