"""``{% flush %}``: what was rendered so far is sent, if the page is sent while it is rendered."""

from __future__ import annotations

from collections.abc import Generator, Iterator

from jinja2 import nodes
from jinja2.ext import Extension
from jinja2.parser import Parser

__all__ = ["FlushExtension", "joined"]


class _Flush(str):
    __slots__ = ()


_FLUSH = _Flush()  # empty, so that it prints nothing elsewhere


class FlushExtension(Extension):
    """The tag ``{% flush %}``. It has no effect in macros and captured text, and in a page that is rendered at once."""

    tags = {"flush"}  # noqa: RUF012  # Jinja2's

    def parse(self, parser: Parser) -> nodes.Node:
        """Parse the tag; see :meth:`jinja2.ext.Extension.parse`."""
        line = next(parser.stream).lineno
        return nodes.CallBlock(self.call_method("flush"), [], [], []).set_lineno(line)

    def flush(self, caller: object) -> str:
        """Return what separates the pieces.

        :param caller: renders nothing.
        """
        return _FLUSH


def joined(pieces: Iterator[str], size: int) -> Generator[str, None, None]:
    """Join the pieces of a template until they have a size, or until ``{% flush %}``.

    :param pieces: the pieces.
    :param size: in characters.
    """
    group: list[str] = []
    length = 0
    for piece in pieces:
        group.append(piece)
        length += len(piece)
        if length >= size or (piece is _FLUSH and length):
            yield "".join(group)
            group, length = [], 0
    yield "".join(group)
