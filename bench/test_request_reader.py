"""Reading a request's head, beside the parser alone and beside h11.

``httptools_nothing_kept`` is the parser with a protocol that has no callbacks: no reader built on it gets below that.
``httptools_fields_kept`` makes the least of it that a server needs: a list of pairs with lower-case names. Neither
makes the checks nor keeps the limits that Atlas's reader does.
"""

from __future__ import annotations

from typing import Any

import pytest

from bench.heads import HEADS, THIRTEEN, THREE

Benchmark = Any


@pytest.fixture(params=HEADS)
def head(request: pytest.FixtureRequest, benchmark: Benchmark) -> bytes:
    benchmark.group = f"read a head, {request.param}"
    return HEADS[request.param]


def expected_count(head: bytes) -> int:
    return len(THIRTEEN) if head == HEADS["13 headers"] else len(THREE)


def test_atlas(head: bytes, benchmark: Benchmark) -> None:
    limits = pytest.importorskip("atlas._speedups.http.limits")
    reader = pytest.importorskip("atlas._speedups.http1.request_parser").RequestParser(limits.Limits())

    def read() -> Any:
        reader.next()
        reader.read(head)
        return reader.request

    assert len(benchmark(read).headers) == expected_count(head)


def test_httptools_nothing_kept(head: bytes, benchmark: Benchmark) -> None:
    httptools = pytest.importorskip("httptools")
    parser = httptools.HttpRequestParser(object())
    benchmark(parser.feed_data, head)
    assert parser.get_method() == b"GET"


class Keeper:
    """The least that a server makes of what the parser says."""

    def on_message_begin(self) -> None:
        self.headers: list[tuple[bytes, bytes]] = []

    def on_url(self, url: bytes) -> None:
        self.url = url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))


def test_httptools_fields_kept(head: bytes, benchmark: Benchmark) -> None:
    httptools = pytest.importorskip("httptools")
    keeper = Keeper()
    parser = httptools.HttpRequestParser(keeper)
    benchmark(parser.feed_data, head)
    assert len(keeper.headers) == expected_count(head)


def test_h11(head: bytes, benchmark: Benchmark) -> None:
    h11 = pytest.importorskip("h11")

    def read(connection: Any) -> Any:
        connection.receive_data(head)
        return connection.next_event()

    # h11 wants an answer before the next request: each round gets a connection of its own, made outside the clock.
    request = benchmark.pedantic(
        read, setup=lambda: ((h11.Connection(h11.SERVER),), {}), rounds=2000, warmup_rounds=100
    )
    assert len(request.headers) == expected_count(head)
