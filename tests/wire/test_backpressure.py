"""Backpressure: nothing is kept in memory for a client, or an application, that is slower than the other side."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from typing import Any

import pytest

from .raw_client import TIMEOUT, send_until_it_waits
from .wire_server import WireServer, chunked, post, read_body, request_bytes, respond

PIECE = 65536
COUNT = 1024
"""Pieces that a response has: 64 MiB, far more than the kernel's buffers hold."""
TURNS = 500
"""Turns of the event loop after which a send that is not done is said to wait."""


@pytest.mark.parametrize(
    "headers", [[], [(b"content-length", b"%d" % (PIECE * COUNT))]], ids=["chunked", "content-length"]
)
def test_send_waits_for_a_client_that_does_not_read(wire: WireServer, headers: Any) -> None:
    stalled: Future[int] = Future()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for number in range(COUNT):
            sending = asyncio.ensure_future(
                send({"type": "http.response.body", "body": b"z" * PIECE, "more_body": True})
            )
            for _ in range(TURNS):
                if sending.done():
                    break
                await asyncio.sleep(0)
            if not sending.done() and not stalled.done():
                stalled.set_result(number)
            await sending
        await send({"type": "http.response.body"})

    wire.set_app(app)
    with wire.connect(receive_buffer=65536) as client:
        client.send(request_bytes())
        assert stalled.result(TIMEOUT) < COUNT / 4
        assert len(client.response().body) == PIECE * COUNT


def test_one_large_piece_waits_too(wire: WireServer) -> None:
    returned: Future[None] = Future()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"z" * (PIECE * COUNT), "more_body": True})
        await send({"type": "http.response.body", "body": b"z", "more_body": True})
        returned.set_result(None)
        await send({"type": "http.response.body"})

    wire.set_app(app)
    with wire.connect() as client:
        client.send(request_bytes())
        client.read_until(b"\r\n\r\n")
        assert not returned.done()
        client.read_until(b"\r\n")
        assert client.read_exactly(PIECE * COUNT) == b"z" * (PIECE * COUNT)
        returned.result(TIMEOUT)


def test_reading_resumes_sending_many_times(wire: WireServer) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for number in range(400):
            await send({"type": "http.response.body", "body": b"%03d" % number + b"z" * 20_000, "more_body": True})
        await send({"type": "http.response.body"})

    wire.set_app(app)
    with wire.connect(receive_buffer=8192) as client:
        client.send(request_bytes() + request_bytes())
        for _ in range(2):
            body = client.response().body
            assert [body[at : at + 3] for at in range(0, len(body), 20_003)] == [
                b"%03d" % number for number in range(400)
            ]


@pytest.mark.parametrize("framing", ["content-length", "chunked"])
def test_reading_pauses_while_the_application_does_not_receive(wire: WireServer, framing: str) -> None:
    gate: Future[None] = Future()
    first: Future[None] = Future()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        event = await receive()
        first.set_result(None)
        await asyncio.wrap_future(gate)
        size = len(event["body"])
        while event.get("more_body"):
            event = await receive()
            size += len(event.get("body", b""))
        await respond(send, b"%d" % size)

    wire.set_app(app)
    if framing == "chunked":
        head, piece, end = chunked(b""), b"%x\r\n%b\r\n" % (PIECE, b"z" * PIECE), b"0\r\n\r\n"
    else:
        head, piece, end = post(b"Content-Length: %d" % (PIECE * COUNT)), b"z" * PIECE, b""
    with wire.connect() as client:
        client.send(head + piece)
        first.result(TIMEOUT)
        sent = send_until_it_waits(client.socket, piece * (COUNT - 1))
        assert sent < PIECE * COUNT / 2
        gate.set_result(None)
        client.send((piece * (COUNT - 1))[sent:] + end)
        assert int(client.response("POST").body) == PIECE * COUNT


def test_pipelined_answers_stop_for_a_client_that_does_not_read(wire: WireServer) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await read_body(receive)
        await respond(send, b"z" * 100_000)

    wire.set_app(app)
    count = 300
    before = wire.app.calls
    with wire.connect(receive_buffer=65536) as client, wire.connect() as other:
        client.send(request_bytes() * count)
        for _ in range(20):
            other.send(request_bytes())
            assert len(other.response().body) == 100_000
        assert wire.app.calls - before - 20 < count
        for _ in range(count):
            assert len(client.response().body) == 100_000
