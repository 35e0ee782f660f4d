"""The content of a new forum: boards, and example members and threads."""

from __future__ import annotations

import sqlite3
import time
import tomllib
from pathlib import Path
from typing import Any

from forum.store import boards, people, threads

HOUR, DAY = 3600, 86400


def fill(db: sqlite3.Connection, *, with_content: bool, now: float | None = None) -> None:
    """Insert the content of ``seed.toml``; only the boards if ``with_content`` is false.

    The example members have no password: a login as one of them is not possible.
    """
    seed = tomllib.loads(Path(__file__).with_name("seed.toml").read_text(encoding="utf-8"))
    open_boards = {board["slug"]: boards.insert(db, **board) for board in seed["boards"]}
    if not with_content:
        return
    moment = int(time.time() if now is None else now)
    authors = {
        person["name"]: people.insert(
            db, person["name"], "", joined=moment - person["days"] * DAY, about=person["about"]
        )
        for person in seed["people"]
    }
    # The oldest first, so that the numbers of the posts increase with time.
    for thread in sorted(seed["threads"], key=lambda each: -each["hours"]):
        _write(db, thread, open_boards, authors, moment)


def _write(
    db: sqlite3.Connection, thread: dict[str, Any], boards: dict[str, int], authors: dict[str, int], now: int
) -> None:
    started = now - int(thread["hours"] * HOUR)
    board, author = boards[thread["board"]], authors[thread["author"]]
    number = threads.start(db, board, author, thread["title"], thread["text"].strip(), when=started)
    replies = thread.get("replies", [])
    # The intervals between replies increase; the last reply was ``quiet`` hours ago.
    last = now - int(thread.get("quiet", 0) * HOUR)
    for place, (name, text) in enumerate(replies, 1):
        when = started + int((last - started) * (place / len(replies)) ** 1.6)
        threads.reply(db, number, authors[name], text.strip(), when=when)
    views = 23 + 41 * len(replies) + number * 37 % 97
    db.execute("UPDATE threads SET views = ? WHERE number = ?", (views, number))
