"""Writing a response's head: status and fields, checked, as bytes."""

from __future__ import annotations

from typing import Any

import pytest

Benchmark = Any

FEW = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"13")]
MANY = [
    *FEW,
    (b"cache-control", b"no-cache, private"),
    (b"etag", b'W/"5e8b1f4c"'),
    (b"vary", b"accept-encoding, cookie"),
    (b"x-request-id", b"7f3c1c1e-3b9d-4f0e-9f3e-2d1a5f6b7c8d"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"strict-origin-when-cross-origin"),
    (b"set-cookie", b"session=b1946ac92492d2347c6235b4d2611184; path=/; httponly; samesite=lax"),
    (b"strict-transport-security", b"max-age=31536000; includeSubDomains"),
]
FIELDS = {"2 fields": FEW, "10 fields": MANY}


@pytest.fixture(params=FIELDS)
def fields(request: pytest.FixtureRequest, benchmark: Benchmark) -> list[tuple[bytes, bytes]]:
    benchmark.group = f"write a response head, {request.param}"
    return FIELDS[request.param]


def joined(fields: list[tuple[bytes, bytes]]) -> bytes:
    """What plain Python needs, without looking at a single byte."""
    return b"HTTP/1.1 200 OK\r\n" + b"".join([name + b": " + value + b"\r\n" for name, value in fields])


def test_atlas(fields: list[tuple[bytes, bytes]], benchmark: Benchmark) -> None:
    response_head = pytest.importorskip("atlas._speedups.http1.response_head").response_head
    # The length is the framing's to write or not, so only the beginning is compared.
    assert benchmark(response_head, 200, fields).startswith(joined(fields[:1]))


def test_plain_python_unchecked(fields: list[tuple[bytes, bytes]], benchmark: Benchmark) -> None:
    assert benchmark(joined, fields).endswith(b"\r\n")


def test_h11(fields: list[tuple[bytes, bytes]], benchmark: Benchmark) -> None:
    h11 = pytest.importorskip("h11")

    def connection() -> Any:
        asked = h11.Connection(h11.SERVER)
        asked.receive_data(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        asked.next_event()
        return ((asked,), {})

    def write(asked: Any) -> Any:
        return asked.send(h11.Response(status_code=200, headers=fields))

    data = benchmark.pedantic(write, setup=connection, rounds=2000, warmup_rounds=100)
    assert data.startswith(b"HTTP/1.1 200")
