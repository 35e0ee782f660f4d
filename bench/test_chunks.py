"""Reading a chunked request: many small chunks, where framing is all the work, and few large ones, where it is none."""

from __future__ import annotations

from typing import Any

import pytest

from bench.heads import chunked, request_head

Benchmark = Any

BODIES = {"1000 chunks of 10 bytes": (1000, 10), "16 chunks of 4 KiB": (16, 4096)}
HEAD = request_head((("Host", "127.0.0.1:8000"), ("Transfer-Encoding", "chunked")), "POST /upload HTTP/1.1")


@pytest.fixture(params=BODIES)
def shape(request: pytest.FixtureRequest, benchmark: Benchmark) -> tuple[int, int]:
    benchmark.group = f"read a chunked request, {request.param}"
    return BODIES[request.param]


def test_atlas(shape: tuple[int, int], benchmark: Benchmark) -> None:
    limits = pytest.importorskip("atlas._speedups.http.limits")
    reader = pytest.importorskip("atlas._speedups.http1.request_parser").RequestParser(limits.Limits())
    data = HEAD + chunked(*shape)

    def read() -> int:
        reader.next()
        at = 0
        while not reader.complete:
            at += reader.read(data[at:] if at else data)
        return len(reader.take_body())

    assert benchmark(read) == shape[0] * shape[1]


def test_atlas_framing_alone(shape: tuple[int, int], benchmark: Benchmark) -> None:
    scanner = pytest.importorskip("atlas._speedups.http1.chunks").ChunkScanner
    data = chunked(*shape)
    assert benchmark(lambda: scanner().scan(data)) == len(data)


def test_httptools_pieces_kept(shape: tuple[int, int], benchmark: Benchmark) -> None:
    httptools = pytest.importorskip("httptools")
    pieces: list[bytes] = []

    class Keeper:
        on_body = pieces.append

    parser = httptools.HttpRequestParser(Keeper())
    data = HEAD + chunked(*shape)

    def read() -> int:
        pieces.clear()
        parser.feed_data(data)
        return len(b"".join(pieces))

    assert benchmark(read) == shape[0] * shape[1]


def test_h11(shape: tuple[int, int], benchmark: Benchmark) -> None:
    h11 = pytest.importorskip("h11")
    data = HEAD + chunked(*shape)

    def read() -> int:
        connection = h11.Connection(h11.SERVER)
        connection.receive_data(data)
        length = 0
        while not isinstance(event := connection.next_event(), h11.EndOfMessage):
            length += len(event.data) if isinstance(event, h11.Data) else 0
        return length

    assert benchmark(read) == shape[0] * shape[1]
