"""Parts of a body: what a ``range`` field asks for, and the body that answers more than one (RFC 9110 14)."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass

__all__ = ["MAX_RANGES", "ByteRange", "Parts", "RangeNotSatisfiable", "parse_ranges"]

MAX_RANGES = 16
_ONE = re.compile(r"([0-9]{0,18})-([0-9]{0,18})", re.ASCII)


class RangeNotSatisfiable(ValueError):
    """416: none of the ranges is in the body, or the field asks for what no client needs."""


@dataclass(frozen=True, slots=True, order=True)
class ByteRange:
    """Bytes from ``start`` to before ``end``."""

    start: int
    end: int

    @property
    def length(self) -> int:
        """How many they are."""
        return self.end - self.start

    def content_range(self, size: int) -> str:
        """The value of a ``content-range`` field, of a body of so many bytes."""
        return f"bytes {self.start}-{self.end - 1}/{size}"


def parse_ranges(value: str | None, size: int) -> list[ByteRange]:
    """The ranges that a ``range`` field asks for, within a body of ``size`` bytes; empty if it is to be sent whole.

    A unit that is not ``bytes`` is ignored, as RFC 9110 14.2 wants it. Ranges that overlap are made one, so that nobody
    gets more bytes than there are by asking for the same ones again and again.

    :raises RangeNotSatisfiable: for a malformed field, more than :data:`MAX_RANGES`, or nothing that is there.
    """
    unit, equals, spec = (value or "").partition("=")
    if not equals or unit.strip().lower() != "bytes":
        return []
    asked = [part.strip(" \t") for part in spec.split(",")]
    if len(asked) > MAX_RANGES:
        raise RangeNotSatisfiable(f"at most {MAX_RANGES} ranges are answered at once")
    found = [one for part in asked if part and (one := _parse_one(part, size)) is not None]
    if not found:
        raise RangeNotSatisfiable(f"there are {size} bytes, and none of them is in these ranges")
    return _without_overlaps(found)


def _parse_one(part: str, size: int) -> ByteRange | None:
    match = _ONE.fullmatch(part)
    if match is None or part == "-":
        raise RangeNotSatisfiable(f"{part!r} is no range of bytes")
    first, last = match.groups()
    if not first:  # the last so many
        start, end = max(size - int(last), 0), size
    else:
        start, end = int(first), min(int(last) + 1, size) if last else size
        if last and int(last) < start:
            raise RangeNotSatisfiable(f"{part!r} ends before it begins")
    return ByteRange(start, end) if start < end else None


def _without_overlaps(ranges: list[ByteRange]) -> list[ByteRange]:
    """The same ranges, in their order where they are apart, else from front to back and made one where they meet."""
    ordered = sorted(ranges)
    merged = ordered[:1]
    for each in ordered[1:]:
        if each.start < merged[-1].end:
            merged[-1] = ByteRange(merged[-1].start, max(merged[-1].end, each.end))
        else:
            merged.append(each)
    return ranges if len(merged) == len(ranges) else merged


class Parts:
    """A ``multipart/byteranges`` body (RFC 9110 14.6): its heads, and how long it is with them.

    :ivar content_type: of the whole. :ivar pieces: a head, and the range that follows it, one after the other.
    :ivar end: what stands after the last one. :ivar length: of all of it.
    """

    __slots__ = ("content_type", "end", "length", "pieces")

    def __init__(self, ranges: list[ByteRange], size: int, content_type: str) -> None:
        boundary = secrets.token_hex(12)
        self.content_type = f"multipart/byteranges; boundary={boundary}"
        kind = f"content-type: {content_type}\r\n" if content_type else ""
        self.pieces = [
            (f"\r\n--{boundary}\r\n{kind}content-range: {each.content_range(size)}\r\n\r\n".encode("latin-1"), each)
            for each in ranges
        ]
        self.end = f"\r\n--{boundary}--\r\n".encode("ascii")
        self.length = sum(len(head) + each.length for head, each in self.pieces) + len(self.end)
