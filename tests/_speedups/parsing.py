"""Feeds a parser as a connection does, in pieces of any size, and tells what came out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from tests.compiled.parsing import Parser

from atlas._speedups.http.request_head import Limits, RequestHead
from atlas.errors import ProtocolError


@dataclass
class Reading:
    """What a stream of bytes was taken for.

    ``heads`` and ``bodies`` are of all requests that were begun; ``whole`` says how many of them ended. ``error`` is
    the refusal, if there was one, and ``rest`` what was not taken.
    """

    heads: list[RequestHead]
    bodies: list[bytes]
    whole: int
    error: ProtocolError | None
    rest: bytes

    def told(self) -> object:
        """Everything that must not depend on how the bytes came: of a body that broke off, how much came first does."""
        heads = [
            (h.method, h.target, h.headers, h.keep_alive, h.upgrade, (h.has_body, h.content_length)) for h in self.heads
        ]
        return heads, self.bodies[: self.whole if self.error else None], self.whole, self.error is not None


def read(data: bytes, cuts: Iterable[int] = (), limits: Limits | None = None) -> Reading:
    """Read *data* that comes in pieces, cut at these places."""
    reader = Parser(limits or Limits())
    reading = Reading([], [], 0, None, b"")
    edges = [0, *cuts, len(data)]
    pending = b""
    for start, end in pairwise(edges):
        pending += data[start:end]
        try:
            pending = pending[_read_piece(reader, reading, pending) :]
        except ProtocolError as error:
            reading.error = error
            break
    reading.rest = pending
    return reading


def _read_piece(reader: Parser, reading: Reading, data: bytes) -> int:
    """Read as far as it goes; how far that was."""
    at = 0
    while at < len(data):
        begun = reader.request is not None
        taken = reader.feed(data[at:])
        if taken == 0:
            break
        at += taken
        if reader.request is None:
            continue  # an empty line in front of a request line
        if not begun:
            reading.heads.append(reader.request)
            reading.bodies.append(b"")
        reading.bodies[-1] += reader.take_body()
        if reader.complete:
            reading.whole += 1
            reader.next()
    return at


def each_byte(data: bytes) -> range:
    """The cuts that make *data* come one byte at a time."""
    return range(1, len(data))


def read_both(data: bytes, limits: Limits | None = None) -> Reading:
    """As :func:`read`, whole and byte by byte, which must tell the same."""
    whole, dripped = read(data, (), limits), read(data, each_byte(data), limits)
    assert whole.told() == dripped.told()
    return whole


def request(data: bytes, limits: Limits | None = None) -> RequestHead:
    """The head of the one request, without a body, that *data* is."""
    reading = read_both(data, limits)
    assert (reading.error, reading.whole, reading.rest) == (None, 1, b"")
    return reading.heads[0]


def refused(data: bytes, limits: Limits | None = None) -> int:
    """The status that refuses *data*, however it comes."""
    statuses = set()
    for cuts in ((), each_byte(data)):
        error = read(data, cuts, limits).error
        assert error is not None, "it was not refused"
        statuses.add(error.status)
    assert len(statuses) == 1, statuses
    return statuses.pop()
