"""Markup of posts: paragraphs, quotes, links, emphasis and code. Everything else is escaped."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime

from markupsafe import Markup, escape

from forum.store.search import BEGIN, END

# Code first, because its content is not parsed. A link does not include the punctuation after it.
_SIGNS = re.compile(r"`(?P<code>[^`\n]+)`|\*(?P<em>[^*\n]+)\*|(?P<link>https?://[^\s<>\"]*[^\s<>\".,;:!?)'])")


def prose(text: str) -> Markup:
    """Return a post as markup: blank lines separate paragraphs, ``>`` begins a quote."""
    blocks = (block.strip("\n") for block in re.split(r"\n\s*\n", text.replace("\r\n", "\n")))
    return Markup("\n").join(_block(block) for block in blocks if block.strip())


def _block(block: str) -> Markup:
    lines = block.split("\n")
    if all(line.startswith(">") for line in lines):
        quoted = "\n".join(line.removeprefix(">").removeprefix(" ") for line in lines)
        return Markup("<blockquote>{}</blockquote>").format(prose(quoted))
    return Markup("<p>{}</p>").format(Markup("<br>\n").join(_line(line) for line in lines))


def _line(line: str) -> Markup:
    return Markup("").join(_pieces(line))


def _pieces(line: str) -> Iterator[Markup]:
    end = 0
    for sign in _SIGNS.finditer(line):
        yield escape(line[end : sign.start()])
        end = sign.end()
        if sign["link"]:
            yield Markup('<a href="{0}" rel="nofollow ugc noopener">{0}</a>').format(sign["link"])
        elif sign["code"]:
            yield Markup("<code>{}</code>").format(sign["code"])
        else:
            yield Markup("<em>{}</em>").format(sign["em"])
    yield escape(line[end:])


def mark(snippet: str) -> Markup:
    """Return a search result as markup, with the found words in ``<mark>``."""
    return Markup(str(escape(snippet)).replace(BEGIN, "<mark>").replace(END, "</mark>"))


_STEPS = ((60, "minute"), (3600, "hour"), (86400, "day"), (7 * 86400, "week"), (30 * 86400, "month"))


def ago(moment: int, now: float | None = None) -> str:
    """Return the age of a moment as text; a date if it is more than 60 days."""
    seconds = (time.time() if now is None else now) - moment
    if seconds < 60:
        return "just now"
    if seconds >= 60 * 86400:
        return datetime.fromtimestamp(moment, UTC).strftime("%-d %B %Y")
    size, unit = next(step for step in reversed(_STEPS) if seconds >= step[0])
    count = int(seconds // size)
    return f"{count} {unit}{'s' if count > 1 else ''} ago"


def iso(moment: int) -> str:
    """Return a moment in the format of ``<time datetime>``."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
