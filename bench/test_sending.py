"""Serializing ``http.response.start`` and ``http.response.body``: status line, fields, framing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bench.in_memory import Link

Benchmark = Any
Connect = Callable[..., Link]
Events = list[dict[str, Any]]

REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
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
PIECE = b"<li>one of a hundred small pieces of a page that is streamed</li>\n"


def start(fields: list[tuple[bytes, bytes]]) -> dict[str, Any]:
    return {"type": "http.response.start", "status": 200, "headers": fields}


def body(data: bytes = b"", more_body: bool = False) -> dict[str, Any]:
    return {"type": "http.response.body", "body": data, "more_body": more_body}


RESPONSES: dict[str, Events] = {
    "2 fields": [start(FEW), body(b"Hello, World!")],
    "10 fields": [start(MANY), body(b"Hello, World!")],
    "no length": [start(FEW[:1]), body(b"Hello, World!")],
    "64 KiB": [start(FEW[:1]), body(b"x" * 65_536)],
    "100 pieces": [start(FEW[:1]), *[body(PIECE, True)] * 100, body()],
}


@pytest.mark.parametrize("what", RESPONSES)
def test_a_response(what: str, connect: Connect, benchmark: Benchmark) -> None:
    events = RESPONSES[what]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for event in events:
            await send(event)

    link = connect(app, lifespan="off", date_header=False, server_header=False)
    expected = link.first_response(REQUEST)
    assert benchmark(link.ask, REQUEST, len(expected)) == expected
    assert expected.startswith(b"HTTP/1.1 200 ")
    assert expected.count(b"\r\n", 0, expected.index(b"\r\n\r\n")) >= len(events[0]["headers"])
