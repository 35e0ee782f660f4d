"""What every application says, whatever it is written in."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import jinja2

HELLO = "Hello, World!"

OTHERS = [f"/things{number}/list" for number in range(99)]  # routes beside the one that is asked

ORDER = {"item": "a lamp of brass", "quantity": 3, "price": 24.5, "gift": True}
RECEIPT = {"item": "a lamp of brass", "total": 73.5, "gift": True}

MIDDLEWARES = 5

FOLDER = Path(__file__).with_name("templates")
TEMPLATE = "rows.html"
TITLE = "Lakes & their depths"


class Row(NamedTuple):
    """A row of the page."""

    number: int
    name: str
    depth: float


ROWS = [Row(number, f"Lake <{number}>", number * 12.5) for number in range(1, 21)]
CONTEXT = {"title": TITLE, "rows": ROWS}


def person(number: int) -> dict[str, int | str]:
    """What ``GET /users/42`` answers."""
    return {"id": number, "name": f"user {number}"}


def environment() -> jinja2.Environment:
    """For frameworks that take one: escaping, and no look at the file's time in each request."""
    return jinja2.Environment(loader=jinja2.FileSystemLoader(FOLDER), autoescape=True, auto_reload=False)
