"""Full-text search by SQLite (FTS5)."""

from __future__ import annotations

import re
import sqlite3
from dataclasses import dataclass

from forum.paging import Page, Window

# The marks around a found word; posts do not contain them, see forms.as_text. See also prose.mark.
BEGIN, END = "\x02", "\x03"


@dataclass(frozen=True, slots=True)
class Found:
    """A search result: the place of the post, and the text around the words, which are marked."""

    post: int
    thread: int
    title: str
    snippet: str
    board_slug: str
    board_name: str
    author: str
    written: int


_FOUND = f"""
    SELECT posts.number, threads.number,
           coalesce(nullif(highlight(search, 0, '{BEGIN}', '{END}'), ''), threads.title),
           snippet(search, 1, '{BEGIN}', '{END}', '…', 32),
           boards.slug, boards.name, people.name, posts.written
"""
_PLACES = """
    FROM search
    JOIN posts ON posts.number = search.rowid
    JOIN threads ON threads.number = posts.thread
    JOIN boards ON boards.number = threads.board
    JOIN people ON people.number = posts.author
    WHERE search MATCH :words AND (boards.slug = :board OR :board = '')
"""


def find(db: sqlite3.Connection, text: str, board: str, window: Window) -> Page:
    """Return the posts with words that begin with each word of ``text``; matches in titles rank higher.

    :param board: the slug of a board, or "" for all boards.
    """
    values = {"words": as_query(text), "board": board, "size": window.size, "offset": window.offset}
    if not values["words"]:
        return Page([], window, 0)
    (total,) = db.execute(f"SELECT count(*) {_PLACES}", values).fetchone()
    best_first = "ORDER BY bm25(search, 8, 1), posts.number DESC LIMIT :size OFFSET :offset"
    rows = db.execute(f"{_FOUND} {_PLACES} {best_first}", values)
    return Page([Found(*row) for row in rows], window, total)


def as_query(text: str) -> str:
    """Return the words of the text as a query of FTS5 without its operators: ``"chart"* "north"*``."""
    return " ".join(f'"{word}"*' for word in re.findall(r"\w+", text)[:12])
