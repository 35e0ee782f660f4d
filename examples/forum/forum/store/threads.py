"""Threads and their posts."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Mapping
from dataclasses import dataclass

from forum.paging import Page, Window
from forum.store.people import COLUMNS as PERSON_COLUMNS
from forum.store.people import Person


@dataclass(frozen=True, slots=True)
class Thread:
    """A thread with its counts, as in a list."""

    number: int
    title: str
    board_slug: str
    board_name: str
    author: str
    author_picture: str | None
    started: int
    views: int
    posts: int
    last_post: int
    last_author: str

    @property
    def replies(self) -> int:
        """The posts after the first one."""
        return self.posts - 1


@dataclass(frozen=True, slots=True)
class Post:
    """One post, with its author."""

    number: int
    thread: int
    text: str
    written: int
    changed: int | None
    author: Person


@dataclass(frozen=True, slots=True)
class Place:
    """The place of a post: its thread, and the number of posts in the thread up to this one."""

    thread: int
    posts_until: int


# The orders of a list: the value in the query string; the label; condition and ORDER BY in SQL.
ORDERS = {
    "active": ("Active", "TRUE", "threads.last_post DESC"),
    "new": ("New", "TRUE", "threads.started DESC"),
    "unanswered": ("Unanswered", "threads.posts = 1", "threads.started DESC"),
    "read": ("Most read", "TRUE", "threads.views DESC"),
}

_THREADS = """
    SELECT threads.number, threads.title, boards.slug, boards.name, authors.name, authors.picture,
           threads.started, threads.views, threads.posts, threads.last_post, answerers.name
    FROM threads
    JOIN boards ON boards.number = threads.board
    JOIN people AS authors ON authors.number = threads.author
    JOIN people AS answerers ON answerers.number = threads.last_author
"""
_POSTS = f"""
    SELECT posts.number, posts.thread, posts.text, posts.written, posts.changed, {PERSON_COLUMNS}
    FROM posts
    JOIN people ON people.number = posts.author
"""


def page(db: sqlite3.Connection, window: Window, *, order: str = "active", board: int | None = None) -> Page:
    """Return a page of threads.

    :param order: a key of :data:`ORDERS`.
    :param board: the number of a board, or None for all boards.
    """
    _, condition, by = ORDERS[order]
    where = f"WHERE {condition} AND (threads.board = :board OR :board IS NULL)"
    values = {"board": board, "size": window.size, "offset": window.offset}
    (total,) = db.execute(f"SELECT count(*) FROM threads {where}", values).fetchone()
    rows = db.execute(
        f"{_THREADS} {where} ORDER BY {by}, threads.number DESC LIMIT :size OFFSET :offset",
        values,
    )
    return Page([Thread(*row) for row in rows], window, total)


def of_person(db: sqlite3.Connection, number: int, most: int) -> list[Thread]:
    """Return the threads that a member has started, the newest first."""
    rows = db.execute(
        f"{_THREADS} WHERE threads.author = ? ORDER BY threads.started DESC LIMIT ?",
        (number, most),
    )
    return [Thread(*row) for row in rows]


def find(db: sqlite3.Connection, number: int) -> Thread | None:
    """Return the thread with this number, or None."""
    row = db.execute(f"{_THREADS} WHERE threads.number = ?", (number,)).fetchone()
    return Thread(*row) if row else None


def page_of_posts(db: sqlite3.Connection, thread: Thread, window: Window) -> Page:
    """Return a page of the posts of a thread, the oldest first."""
    rows = db.execute(
        f"{_POSTS} WHERE posts.thread = ? ORDER BY posts.number LIMIT ? OFFSET ?",
        (thread.number, window.size, window.offset),
    )
    return Page([_post(*row) for row in rows], window, thread.posts)


def posts_after(db: sqlite3.Connection, thread: int, number: int) -> list[Post]:
    """Return the posts of a thread after the one with this number."""
    rows = db.execute(f"{_POSTS} WHERE posts.thread = ? AND posts.number > ? ORDER BY posts.number", (thread, number))
    return [_post(*row) for row in rows]


def find_post(db: sqlite3.Connection, number: int) -> Post | None:
    """Return the post with this number, or None."""
    row = db.execute(f"{_POSTS} WHERE posts.number = ?", (number,)).fetchone()
    return _post(*row) if row else None


def place_of(db: sqlite3.Connection, post: int) -> Place | None:
    """Return the place of a post, or None if there is no such post."""
    row = db.execute(
        "SELECT thread, (SELECT count(*) FROM posts WHERE thread = this.thread AND number <= this.number) "
        "FROM posts AS this WHERE number = ?",
        (post,),
    ).fetchone()
    return Place(*row) if row else None


def count_posts(db: sqlite3.Connection, person: int) -> int:
    """Return the number of posts of a member."""
    (count,) = db.execute("SELECT count(*) FROM posts WHERE author = ?", (person,)).fetchone()
    return int(count)


def start(db: sqlite3.Connection, board: int, author: int, title: str, text: str, *, when: int | None = None) -> int:
    """Insert a thread with its first post, and return its number."""
    when = int(time.time()) if when is None else when
    cursor = db.execute(
        "INSERT INTO threads (board, author, title, started) VALUES (?, ?, ?, ?)", (board, author, title, when)
    )
    assert cursor.lastrowid is not None
    reply(db, cursor.lastrowid, author, text, when=when)
    return cursor.lastrowid


def reply(db: sqlite3.Connection, thread: int, author: int, text: str, *, when: int | None = None) -> int:
    """Insert a post and return its number."""
    when = int(time.time()) if when is None else when
    cursor = db.execute(
        "INSERT INTO posts (thread, author, text, written) VALUES (?, ?, ?, ?)", (thread, author, text, when)
    )
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def change(db: sqlite3.Connection, post: int, text: str) -> None:
    """Change the text of a post."""
    db.execute("UPDATE posts SET text = ?, changed = ? WHERE number = ?", (text, int(time.time()), post))


def add_views(db: sqlite3.Connection, counted: Mapping[int, int]) -> None:
    """Add to the view counts of threads."""
    pairs = [(views, number) for number, views in counted.items()]
    db.executemany("UPDATE threads SET views = views + ? WHERE number = ?", pairs)


def _post(number: int, thread: int, text: str, written: int, changed: int | None, *person: object) -> Post:
    return Post(number, thread, text, written, changed, Person(*person))  # type: ignore[arg-type]  # the columns of a person
