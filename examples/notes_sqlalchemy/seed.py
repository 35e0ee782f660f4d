"""Writes the first notes: ``python seed.py``. A script works with the same functions as the controllers."""

from __future__ import annotations

from main import app
from notes import Draft, Model, db, find, write

from atlas import await_

FIRST = [
    Draft(
        "What a greenlet is",
        "A function that can be put aside in the middle of a call, and taken up again: so a query in plain code lets "
        "everybody else go on.",
        ["how", "atlas"],
    ),
    Draft("Bread", "500 g flour, 350 g water, 10 g salt, a spoon of yeast. Twelve hours. 230 °C.", ["kitchen"]),
    Draft("Rowing before sunrise", "At this height one sits down after every ten strokes.", ["lakes", "travel"]),
    Draft("Lazy loading", "note.tags asks the database when somebody looks at it. In a template, too.", ["how"]),
]


def seed() -> None:
    """Write them, if nobody has written anything yet."""
    await_(db.create_all(Model.metadata))
    if not find():
        for draft in FIRST:
            write(draft)


if __name__ == "__main__":
    db.bind(app)  # which says where the database is
    db.run(seed)
