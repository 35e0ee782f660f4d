"""``Expect: 100-continue``: written when the application asks for the body, and not before (RFC 9110, 10.1.1)."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from typing import Any

import pytest

from .peer import PATIENCE
from .stage import Wire, chunked, post, read_body, request_bytes, respond

EXPECT = b"Expect: 100-continue"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@pytest.mark.parametrize("value", [b"100-continue", b"100-Continue", b"100-CONTINUE"])
def test_continue_is_written_when_the_application_receives(delivered: Wire, value: bytes) -> None:
    gate: Future[None] = Future()
    started: Future[None] = Future()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        started.set_result(None)
        await asyncio.wrap_future(gate)
        body, _ = await read_body(receive)
        await respond(send, body)

    delivered.play(app)
    with delivered.connect() as peer:
        peer.send(post(b"Content-Length: 5", b"Expect: " + value))
        started.result(PATIENCE)
        peer.assert_silent()
        gate.set_result(None)
        assert peer.read_until(b"\r\n\r\n") == CONTINUE
        peer.send(b"hello")
        answer = peer.response("POST")
        assert (answer.status, answer.body, answer.interim) == (200, b"hello", [])
        delivered.stage.clear()
        peer.send(request_bytes())
        assert peer.response().status == 200


def test_continue_for_a_chunked_body(delivered: Wire) -> None:
    with delivered.connect() as peer:
        peer.send(chunked(b"", EXPECT))
        assert peer.read_until(b"\r\n\r\n") == CONTINUE
        peer.send(b"5\r\nhello\r\n0\r\n\r\n")
        assert peer.response("POST").json()["body"] == "hello"


def test_continue_comes_once(delivered: Wire) -> None:
    with delivered.connect() as peer:
        peer.send(post(b"Content-Length: 6", EXPECT))
        assert peer.read_until(b"\r\n\r\n") == CONTINUE
        peer.send(b"abc")
        peer.send(b"def")
        answer = peer.response("POST")
        assert (answer.json()["body"], answer.interim) == ("abcdef", [])


def test_body_sent_without_waiting_is_read(delivered: Wire) -> None:
    """A 100 may be left out once the body is there; h11 takes it either way."""
    answer = delivered.exchange(post(b"Content-Length: 5", EXPECT, body=b"hello"), "POST")
    assert (answer.status, answer.json()["body"]) == (200, "hello")
    assert [status for status, _ in answer.interim] in ([], [100])


def test_no_continue_if_the_application_answers_without_the_body(wire: Wire) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await respond(send, b"no", 403)

    wire.play(app)
    with wire.connect() as peer:
        peer.send(post(b"Content-Length: 5", EXPECT))
        answer = peer.response("POST")
        assert (answer.status, answer.interim) == (403, [])


@pytest.mark.parametrize("body", [b"", b"hello"])
def test_unsent_body_is_never_taken_for_a_request(wire: Wire, body: bytes) -> None:
    """After a final answer without 100 the client may send the body or leave it out; the server can't know which.

    So it closes, or it reads exactly that body.
    """

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await respond(send, scope["path"].encode(), 403)

    wire.play(app)
    with wire.connect() as peer:
        peer.send(post(b"Content-Length: 5", EXPECT, line=b"POST /first HTTP/1.1"))
        answer = peer.response("POST")
        assert answer.status == 403
        if not answer.closes:
            peer.send(b"hello" + request_bytes(line=b"GET /second HTTP/1.1"))
            assert peer.response().body == b"/second"
            return
        peer.send(body + request_bytes(line=b"GET /second HTTP/1.1"))
        peer.assert_closed()


def test_no_continue_after_the_response_has_started(wire: Wire) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"a", "more_body": True})
        body, _ = await read_body(receive)
        await send({"type": "http.response.body", "body": body})

    wire.play(app)
    with wire.connect() as peer:
        peer.send(post(b"Content-Length: 5", EXPECT))
        head = peer.read_until(b"a\r\n")
        assert b"100" not in head.partition(b"\r\n")[0]
        peer.send(b"hello")
        assert peer.read_until(b"0\r\n\r\n") == b"5\r\nhello\r\n0\r\n\r\n"


def test_http_1_0_expectation_is_ignored(delivered: Wire) -> None:
    with delivered.connect() as peer:
        peer.send(post(b"Content-Length: 5", EXPECT, line=b"POST / HTTP/1.0", body=b"hello"))
        answer = peer.response("POST")
        assert (answer.json()["body"], answer.interim) == ("hello", [])


def test_expectation_without_a_body(delivered: Wire) -> None:
    answer = delivered.exchange(request_bytes(EXPECT))
    assert answer.status == 200
    assert [status for status, _ in answer.interim] in ([], [100])


@pytest.mark.parametrize("value", [b"200-ok", b"100-continue, foo", b"foo", b"100-continuex", b"100"])
def test_other_expectations_fail(delivered: Wire, value: bytes) -> None:
    before = delivered.stage.calls
    with delivered.connect() as peer:
        peer.send(post(b"Expect: " + value, b"Content-Length: 0"))
        assert peer.response("POST").status == 417
    assert delivered.stage.calls == before


def test_continue_does_not_overtake_an_earlier_answer(wire: Wire) -> None:
    gate: Future[None] = Future()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/slow":
            await asyncio.wrap_future(gate)
        body, _ = await read_body(receive)
        await respond(send, scope["path"].encode() + body)

    wire.play(app)
    with wire.connect() as peer, wire.connect() as other:
        peer.send(request_bytes(line=b"GET /slow HTTP/1.1") + post(b"Content-Length: 2", EXPECT))
        other.send(request_bytes())
        assert other.response().status == 200
        peer.assert_silent()
        gate.set_result(None)
        answer = peer.response()
        assert (answer.body, answer.interim) == (b"/slow", [])
        assert peer.read_until(b"\r\n\r\n") == CONTINUE
        peer.send(b"hi")
        assert peer.response("POST").body == b"/hi"
