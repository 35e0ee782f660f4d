"""Parses pages of the documentation into blocks that can be run.

A fenced block may have a file name as its title (```` ```python title="main.py" ````), or on its first line
(``# main.py``): it is written to that file. Two kinds of hidden comment exist beside the blocks::

    <!-- skip: why the next block is not run -->

    <!-- test
    assert "code that runs at this point"
    -->
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

__all__ = ["ROOT", "Block", "blocks_of", "chapters", "pages"]

ROOT = Path(__file__).parent.parent.parent
DOCS = ROOT / "docs"

_FENCE = re.compile(r"(?P<indent> *)(?P<fence>```+|~~~+) *(?P<language>[\w+-]*) *(?P<options>.*)")
_TITLE = re.compile(r'title="([^"]+)"')
_FIRST_LINE = re.compile(r"# ([\w/]+\.py)\n")
_FILE_NAME = re.compile(r"[\w./-]*\.\w+")
_SKIP = re.compile(r"\s*<!-- skip: *(?P<reason>.*?) *-->\s*")


@dataclass(frozen=True, slots=True)
class Block:
    """A block of code.

    :ivar page: the page.
    :ivar line: the line of the page where the text begins, counted from 1.
    :ivar language: the language of the fence.
    :ivar text: the code.
    :ivar file: the name of the file that the text is written to, or None.
    :ivar skip: why it is not run; None if it is run.
    """

    page: Path
    line: int
    language: str
    text: str
    file: str | None = None
    skip: str | None = None

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def pages() -> list[Path]:
    """Return the README and all pages outside the tutorial."""
    return [ROOT / "README.md", *sorted(page for page in DOCS.rglob("*.md") if page.parent.name != "tutorial")]


def chapters() -> list[Path]:
    """Return the chapters of the tutorial in their order; each continues the one before."""
    return sorted((DOCS / "tutorial").glob("*.md"))


def blocks_of(page: Path) -> list[Block]:
    """Return the blocks of a page, in order.

    :raises ValueError: for a fence or comment without an end, or a skip marker without a block.
    """
    return list(_blocks(page, page.read_text(encoding="utf-8").splitlines()))


def _blocks(page: Path, lines: list[str]) -> Iterator[Block]:
    number, skip = 0, None
    while number < len(lines):
        line = lines[number]
        if line.strip() == "<!-- test":
            end = _end(page, lines, number, "-->")
            yield Block(page, number + 2, "python", dedent("\n".join(lines[number + 1 : end])))
            number = end
        elif found := _FENCE.fullmatch(line):
            end = _end(page, lines, number, found["fence"])
            text = dedent("\n".join(lines[number + 1 : end])) + "\n"
            yield Block(page, number + 2, found["language"], text, _file_name(found["options"], text), skip)
            number, skip = end, None
        elif marker := _SKIP.fullmatch(line):
            skip = marker["reason"]
        number += 1
    if skip is not None:
        raise ValueError(f"{page}: no block follows the last skip marker")


def _end(page: Path, lines: list[str], start: int, mark: str) -> int:
    for number in range(start + 1, len(lines)):
        if lines[number].strip() == mark:
            return number
    raise ValueError(f"{page}:{start + 1}: expected a line with {mark!r}")


def _file_name(options: str, text: str) -> str | None:
    title = _TITLE.search(options) or _FIRST_LINE.match(text)
    return title[1] if title and _FILE_NAME.fullmatch(title[1]) else None
