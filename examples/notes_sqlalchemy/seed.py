"""Insert the first notes: ``python seed.py``. The script calls the same functions as the controllers."""

from __future__ import annotations

from main import app
from notes import Draft, Model, db, find, write

from atlas import await_

FIRST = [
    Draft(
        "What a greenlet is",
        "A function call that can be suspended and resumed: while sync code waits for a query, other requests are "
        "served.",
        ["how", "atlas"],
    ),
    Draft("Bread", "500 g flour, 350 g water, 10 g salt, a spoon of yeast. Twelve hours. 230 °C.", ["kitchen"]),
    Draft("Rowing before sunrise", "At this height one sits down after every ten strokes.", ["lakes", "travel"]),
    Draft("Lazy loading", "note.tags runs a query on first access. In a template, too.", ["how"]),
]


def seed() -> None:
    """Insert the notes into an empty database."""
    await_(db.create_all(Model.metadata))
    if not find():
        for draft in FIRST:
            write(draft)


if __name__ == "__main__":
    db.bind(app)  # the configuration has the URL of the database
    db.run(seed)
