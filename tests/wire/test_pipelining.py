"""Pipelined requests: answered in order, parsed ahead within a bound, errors in their turn (RFC 9112, 9.3.2)."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from typing import Any

import pytest

from .raw_client import TIMEOUT, send_until_it_waits
from .wire_server import WireServer, chunked, post, read_body, request_bytes, respond


def get(number: int) -> bytes:
    return request_bytes(line=b"GET /%d HTTP/1.1" % number)


async def tell_path(scope: Any, receive: Any, send: Any) -> None:
    await respond(send, scope["path"].encode())


@pytest.mark.parametrize("count", [2, 16, 17, 40])
def test_answers_come_in_order(delivered: WireServer, count: int) -> None:
    delivered.set_app(tell_path)
    with delivered.connect() as client:
        client.send(b"".join(map(get, range(count))))
        for number in range(count):
            assert client.response().body == b"/%d" % number


def test_thousands_of_requests_in_one_write(wire: WireServer) -> None:
    wire.set_app(tell_path)
    with wire.connect() as client:
        client.send(b"".join(map(get, range(3000))))
        for number in range(3000):
            assert client.response().body == b"/%d" % number


def test_the_later_answer_waits_for_the_earlier(wire: WireServer) -> None:
    """The first application is held until the second had every chance to answer."""
    gate: Future[None] = Future()
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["path"])
        if scope["path"] == "/0":
            await asyncio.wrap_future(gate)
        await respond(send, scope["path"].encode())

    wire.set_app(app)
    with wire.connect() as client, wire.connect() as other:
        client.send(b"".join(map(get, range(3))))
        other.send(get(99))
        assert other.response().body == b"/99"
        client.assert_silent()
        gate.set_result(None)
        assert [client.response().body for _ in range(3)] == [b"/0", b"/1", b"/2"]


def test_bodies_and_heads_alternate(delivered: WireServer) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        body, _ = await read_body(receive)
        await respond(send, scope["path"].encode() + b" " + body)

    delivered.set_app(app)
    with delivered.connect() as client:
        client.send(
            post(b"Content-Length: 5", body=b"hello", line=b"POST /0 HTTP/1.1")
            + get(1)
            + chunked(b"5\r\nworld\r\n0\r\n\r\n")
            + get(3)
            + post(b"Content-Length: 0", line=b"POST /4 HTTP/1.1")
            + get(5)
        )
        bodies = [client.response().body for _ in range(6)]
    assert bodies == [b"/0 hello", b"/1 ", b"/ world", b"/3 ", b"/4 ", b"/5 "]


def test_at_most_sixteen_are_parsed_ahead_then_reading_pauses(wire: WireServer) -> None:
    """Whatever is started early, what is kept is bounded: the client's sending stops long before everything is sent."""
    gate: Future[None] = Future()
    started: Future[None] = Future()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if not started.done():
            started.set_result(None)
            await asyncio.wrap_future(gate)
        await respond(send)

    wire.set_app(app)
    request = request_bytes(b"X: " + b"p" * 8000)
    before = wire.app.calls
    with wire.connect() as client:
        client.send(request)
        started.result(TIMEOUT)
        data = request * 4000
        sent = send_until_it_waits(client.socket, data)
        assert sent < len(data) / 2
        assert wire.app.calls - before <= 17
        gate.set_result(None)
        for _ in range(1 + sent // len(request)):
            assert client.response().status == 200


def test_error_answer_waits_for_its_turn(delivered: WireServer) -> None:
    delivered.set_app(tell_path)
    with delivered.connect() as client:
        client.send(get(0) + get(1) + b"BROKEN\r\n\r\n" + get(3))
        assert client.response().body == b"/0"
        assert client.response().body == b"/1"
        answer = client.response()
        assert answer.status in (400, 501)
        assert answer.closes
        client.assert_closed()


def test_error_answer_never_lands_inside_an_unfinished_response(wire: WireServer) -> None:
    gate: Future[None] = Future()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"first", "more_body": True})
        await asyncio.wrap_future(gate)
        await send({"type": "http.response.body", "body": b"second"})

    wire.set_app(app)
    with wire.connect() as client:
        client.send(get(0))
        client.read_until(b"first\r\n")
        client.send(request_bytes(b"Bad Field: x"))
        with wire.connect() as other:  # its answer shows that the server has had the bad one to read
            other.send(request_bytes(b"Bad Field: x"))
            assert other.response().status == 400
        client.assert_silent()
        gate.set_result(None)
        assert client.read_until(b"0\r\n\r\n") == b"6\r\nsecond\r\n0\r\n\r\n"
        answer = client.response()
        assert (answer.status, answer.closes) == (400, True)
        client.assert_closed()


@pytest.mark.parametrize("last", [b"BROKEN\r\n\r\n", post(b"Content-Length: 1000000000", b"Connection: close")])
def test_error_answer_behind_a_large_response(wire: WireServer, last: bytes) -> None:
    """The refusal is due while the client still has megabytes to read; both arrive whole."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await respond(send, b"z" * 20_000_000)

    wire.set_app(app)
    with wire.connect(receive_buffer=65536) as client:
        client.send(get(0) + last)
        assert len(client.response().body) == 20_000_000
        answer = client.response()
        assert answer.status in (400, 413, 501)
        assert answer.closes
        client.assert_closed()


def test_what_follows_a_connection_close_is_not_parsed(delivered: WireServer) -> None:
    before = delivered.app.calls
    delivered.set_app(tell_path)
    with delivered.connect() as client:
        client.send(get(0) + request_bytes(b"Connection: close", line=b"GET /1 HTTP/1.1") + get(2) + b"BROKEN\r\n\r\n")
        assert client.response().body == b"/0"
        assert client.response().body == b"/1"
        client.assert_closed()
    assert delivered.app.calls == before + 2


def test_half_closed_client_gets_all_its_answers(delivered: WireServer) -> None:
    delivered.set_app(tell_path)
    with delivered.connect() as client:
        client.send(b"".join(map(get, range(20))))
        client.finish()
        assert [client.response().body for _ in range(20)] == [b"/%d" % number for number in range(20)]
        client.assert_closed()


def test_half_closed_client_gets_a_late_answer(wire: WireServer) -> None:
    gate: Future[None] = Future()
    started: Future[None] = Future()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        started.set_result(None)
        await asyncio.wrap_future(gate)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"a", "more_body": True})
        await send({"type": "http.response.body", "body": b"b"})

    wire.set_app(app)
    with wire.connect() as client:
        client.send(get(0))
        client.finish()
        started.result(TIMEOUT)
        gate.set_result(None)
        assert client.response().body == b"ab"
        client.assert_closed()


def test_failed_response_takes_the_pipeline_with_it(wire: WireServer) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"10")]})
        await send({"type": "http.response.body", "body": b"short", "more_body": True})
        raise RuntimeError("on purpose")

    wire.set_app(app)
    with wire.connect() as client:
        client.send(get(0) + get(1) + get(2))
        assert client.read_all().count(b"HTTP/1.1") == 1
