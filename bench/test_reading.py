"""Reading bytes of a connection into requests, for a raw ASGI application that sends the least that it can.

What differs between the benchmarks is the request: fields, framing, and how many arrive at once.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest

from bench.heads import FORTY, HEADS, chunked, request_head
from bench.in_memory import Link

Benchmark = Any
Connect = Callable[..., Link]

CHUNKED = request_head((("Host", "127.0.0.1:8000"), ("Transfer-Encoding", "chunked")), "POST /upload HTTP/1.1")
LENGTH = 65_536
SIZED = request_head((("Host", "127.0.0.1:8000"), ("Content-Length", str(LENGTH))), "POST /upload HTTP/1.1")
REQUESTS = {
    **HEADS,
    "40 headers": request_head(FORTY),
    "1000 chunks of 10 bytes": CHUNKED + chunked(1000, 10),
    "16 chunks of 4 KiB": CHUNKED + chunked(16, 4096),
    "64 KiB of a known length": SIZED + b"x" * LENGTH,
}
PIPELINED = 16


async def answer(scope: Any, receive: Any, send: Any) -> None:
    """Read the body and send its length."""
    length, more = 0, True
    while more:
        event = await receive()
        length += len(event["body"])
        more = event["more_body"]
    body = b"%d" % length
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture
def link(connect: Connect) -> Link:
    return connect(answer, lifespan="off", date_header=False, server_header=False)


@pytest.mark.parametrize("what", REQUESTS)
def test_a_request(what: str, link: Link, benchmark: Benchmark) -> None:
    request = REQUESTS[what]
    expected = link.first_response(request)
    assert benchmark(link.ask, request, len(expected)) == expected
    assert expected.startswith(b"HTTP/1.1 200 ")


def test_requests_that_arrive_together(link: Link, benchmark: Benchmark) -> None:
    request = HEADS["13 headers"]
    expected = link.first_response(request) * PIPELINED
    assert benchmark(link.ask, request * PIPELINED, len(expected)) == expected


def test_a_request_from_a_socket(link: Link, benchmark: Benchmark) -> None:
    request = HEADS["13 headers"]
    expected = link.first_response(request)
    client, server = socket.socketpair()

    def ask() -> bytes:
        client.sendall(request)
        return link.ask_from(server, len(expected))

    with client, server:
        assert benchmark(ask) == expected
