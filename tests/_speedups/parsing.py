"""Feeds a request parser as a connection does, in chunks of any size, and returns the parsed requests."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from tests.compiled.parsing import Parser

from atlas._speedups.http.request_head import Limits, RequestHead
from atlas.errors import ProtocolError


@dataclass
class ParseResult:
    """The requests of a stream of bytes.

    :ivar heads: the heads of all requests, also of one that is not complete. :ivar bodies: their bodies.
    :ivar complete: number of complete requests.
    :ivar error: the error that ended the parsing, or None.
    :ivar rest: the bytes that were not consumed.
    """

    heads: list[RequestHead]
    bodies: list[bytes]
    complete: int
    error: ProtocolError | None
    rest: bytes

    def comparable(self) -> object:
        """Return what must not depend on the chunks: the part of an incomplete body before an error does."""
        heads = [
            (h.method, h.target, h.headers, h.keep_alive, h.upgrade, (h.has_body, h.content_length)) for h in self.heads
        ]
        return heads, self.bodies[: self.complete if self.error else None], self.complete, self.error is not None


def parse(data: bytes, cuts: Iterable[int] = (), limits: Limits | None = None) -> ParseResult:
    """Parse *data* in chunks that begin at 0 and at the offsets *cuts*."""
    parser = Parser(limits or Limits())
    result = ParseResult([], [], 0, None, b"")
    edges = [0, *cuts, len(data)]
    pending = b""
    for start, end in pairwise(edges):
        pending += data[start:end]
        try:
            pending = pending[_feed(parser, result, pending) :]
        except ProtocolError as error:
            result.error = error
            break
    result.rest = pending
    return result


def _feed(parser: Parser, result: ParseResult, data: bytes) -> int:
    """Feed bytes until none is consumed; return the number of bytes consumed."""
    at = 0
    while at < len(data):
        begun = parser.request is not None
        taken = parser.feed(data[at:])
        if taken == 0:
            break
        at += taken
        if parser.request is None:
            continue  # an empty line before the request line
        if not begun:
            result.heads.append(parser.request)
            result.bodies.append(b"")
        result.bodies[-1] += parser.take_body()
        if parser.complete:
            result.complete += 1
            parser.next()
    return at


def each_byte(data: bytes) -> range:
    """Return the cuts for chunks of one byte."""
    return range(1, len(data))


def parse_both(data: bytes, limits: Limits | None = None) -> ParseResult:
    """Parse *data* as one chunk and byte by byte, and check that the results are equal."""
    whole, by_byte = parse(data, (), limits), parse(data, each_byte(data), limits)
    assert whole.comparable() == by_byte.comparable()
    return whole


def request(data: bytes, limits: Limits | None = None) -> RequestHead:
    """Return the head of the only request in *data*, which has no body."""
    result = parse_both(data, limits)
    assert (result.error, result.complete, result.rest) == (None, 1, b"")
    return result.heads[0]


def refused(data: bytes, limits: Limits | None = None) -> int:
    """Return the status of the error that *data* causes, in one chunk and byte by byte."""
    statuses = set()
    for cuts in ((), each_byte(data)):
        error = parse(data, cuts, limits).error
        assert error is not None, "it was not refused"
        statuses.add(error.status)
    assert len(statuses) == 1, statuses
    return statuses.pop()
