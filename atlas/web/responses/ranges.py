"""Range requests: the ``range`` field, and the ``multipart/byteranges`` body (RFC 9110 14)."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass

__all__ = ["MAX_RANGES", "ByteRange", "Parts", "RangeNotSatisfiable", "parse_ranges"]

MAX_RANGES = 16
"""Maximum number of ranges in one request."""

_ONE = re.compile(r"([0-9]{0,18})-([0-9]{0,18})", re.ASCII)


class RangeNotSatisfiable(ValueError):
    """416: no range is inside the body, or the field is malformed or has too many ranges (RFC 9110 15.5.17)."""


@dataclass(frozen=True, slots=True, order=True)
class ByteRange:
    """The bytes from ``start`` up to, but not including, ``end``."""

    start: int
    end: int

    @property
    def length(self) -> int:
        """Number of bytes."""
        return self.end - self.start

    def content_range(self, size: int) -> str:
        """Format the value of a ``content-range`` field (RFC 9110 14.4).

        :param size: size of the whole body in bytes.
        """
        return f"bytes {self.start}-{self.end - 1}/{size}"


def parse_ranges(value: str | None, size: int) -> list[ByteRange]:
    """Parse a ``range`` field (RFC 9110 14.2).

    A unit other than ``bytes`` is ignored. Overlapping ranges are merged, so that the response is never larger than the
    body (RFC 9110 17.15).

    :param value: the value of the field; None if there is none.
    :param size: size of the body in bytes.
    :returns: the ranges; an empty list if the body is to be sent whole.
    :raises RangeNotSatisfiable: for a malformed field, more than :data:`MAX_RANGES`, or no range inside the body.
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
    if not first:  # suffix-range: the last bytes, RFC 9110 14.1.2
        start, end = max(size - int(last), 0), size
    else:
        start, end = int(first), min(int(last) + 1, size) if last else size
        if last and int(last) < start:
            raise RangeNotSatisfiable(f"{part!r} ends before it begins")
    return ByteRange(start, end) if start < end else None


def _without_overlaps(ranges: list[ByteRange]) -> list[ByteRange]:
    """Return the ranges in their order, or, if some overlap, sorted and merged."""
    ordered = sorted(ranges)
    merged = ordered[:1]
    for each in ordered[1:]:
        if each.start < merged[-1].end:
            merged[-1] = ByteRange(merged[-1].start, max(merged[-1].end, each.end))
        else:
            merged.append(each)
    return ranges if len(merged) == len(ranges) else merged


class Parts:
    """The framing of a ``multipart/byteranges`` body (RFC 9110 14.6).

    :param ranges: the ranges.
    :param size: size of the whole body in bytes.
    :param content_type: media type of the whole body; "" for none.

    :ivar content_type: media type of the response, with the boundary.
    :ivar parts: for each part its head, and the range that follows the head.
    :ivar end: the bytes after the last part.
    :ivar length: size of the response body in bytes.
    """

    __slots__ = ("content_type", "end", "length", "parts")

    def __init__(self, ranges: list[ByteRange], size: int, content_type: str) -> None:
        boundary = secrets.token_hex(12)
        self.content_type = f"multipart/byteranges; boundary={boundary}"
        kind = f"content-type: {content_type}\r\n" if content_type else ""
        self.parts = [
            (f"\r\n--{boundary}\r\n{kind}content-range: {each.content_range(size)}\r\n\r\n".encode("latin-1"), each)
            for each in ranges
        ]
        self.end = f"\r\n--{boundary}--\r\n".encode("ascii")
        self.length = sum(len(head) + each.length for head, each in self.parts) + len(self.end)
