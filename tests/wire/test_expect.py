"""``Expect: 100-continue``: written when the application asks for the body, and not before (RFC 9110, 10.1.1)."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from typing import Any

import pytest

from .raw_client import TIMEOUT
from .wire_server import WireServer, chunked, post, read_body, request_bytes, respond

EXPECT = b"Expect: 100-continue"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@pytest.mark.parametrize("value", [b"100-continue", b"100-Continue", b"100-CONTINUE"])
def test_continue_is_written_when_the_application_receives(delivered: WireServer, value: bytes) -> None:
    gate: Future[None] = Future()
    started: Future[None] = Future()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        started.set_result(None)
        await asyncio.wrap_future(gate)
        body, _ = await read_body(receive)
        await respond(send, body)

    delivered.set_app(app)
    with delivered.connect() as client:
        client.send(post(b"Content-Length: 5", b"Expect: " + value))
        started.result(TIMEOUT)
        client.assert_silent()
        gate.set_result(None)
        assert client.read_until(b"\r\n\r\n") == CONTINUE
        client.send(b"hello")
        answer = client.response("POST")
        assert (answer.status, answer.body, answer.interim) == (200, b"hello", [])
        delivered.app.clear()
        client.send(request_bytes())
        assert client.response().status == 200


def test_continue_for_a_chunked_body(delivered: WireServer) -> None:
    with delivered.connect() as client:
        client.send(chunked(b"", EXPECT))
        assert client.read_until(b"\r\n\r\n") == CONTINUE
        client.send(b"5\r\nhello\r\n0\r\n\r\n")
        assert client.response("POST").json()["body"] == "hello"


@pytest.mark.parametrize("value", [b"", b" ", b",", b" , ,"])
def test_empty_expectation_is_none(delivered: WireServer, value: bytes) -> None:
    """RFC 9110, 10.1.1 and 5.6.1.2: a list of empty elements is an empty list."""
    answer = delivered.exchange(post(b"Content-Length: 5", b"Expect:" + value, body=b"hello"), "POST")
    assert (answer.status, answer.json()["body"], answer.interim) == (200, "hello", [])


@pytest.mark.parametrize("value", [b",100-continue", b"100-continue ,", b"100-continue, 100-Continue"])
def test_expectation_in_a_list(delivered: WireServer, value: bytes) -> None:
    with delivered.connect() as client:
        client.send(post(b"Content-Length: 5", b"Expect: " + value))
        assert client.read_until(b"\r\n\r\n") == CONTINUE
        client.send(b"hello")
        assert client.response("POST").json()["body"] == "hello"


@pytest.mark.parametrize("value", [b"100-continue, x", b"x, 100-continue", b",x", b"100-continue;a=b"])
def test_expectation_beside_another_is_refused(delivered: WireServer, value: bytes) -> None:
    assert delivered.refused(post(b"Content-Length: 5", b"Expect: " + value, body=b"hello")) == 417


def test_continue_comes_once(delivered: WireServer) -> None:
    with delivered.connect() as client:
        client.send(post(b"Content-Length: 6", EXPECT))
        assert client.read_until(b"\r\n\r\n") == CONTINUE
        client.send(b"abc")
        client.send(b"def")
        answer = client.response("POST")
        assert (answer.json()["body"], answer.interim) == ("abcdef", [])


def test_body_sent_without_waiting_is_read(delivered: WireServer) -> None:
    """A 100 may be left out once the body is there; h11 takes it either way."""
    answer = delivered.exchange(post(b"Content-Length: 5", EXPECT, body=b"hello"), "POST")
    assert (answer.status, answer.json()["body"]) == (200, "hello")
    assert [status for status, _ in answer.interim] in ([], [100])


def test_no_continue_if_the_application_answers_without_the_body(wire: WireServer) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await respond(send, b"no", 403)

    wire.set_app(app)
    with wire.connect() as client:
        client.send(post(b"Content-Length: 5", EXPECT))
        answer = client.response("POST")
        assert (answer.status, answer.interim) == (403, [])


@pytest.mark.parametrize("body", [b"", b"hello"])
def test_unsent_body_is_never_taken_for_a_request(wire: WireServer, body: bytes) -> None:
    """After a final answer without 100 the client may send the body or leave it out; the server can't know which.

    So it closes, or it reads exactly that body.
    """

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await respond(send, scope["path"].encode(), 403)

    wire.set_app(app)
    with wire.connect() as client:
        client.send(post(b"Content-Length: 5", EXPECT, line=b"POST /first HTTP/1.1"))
        answer = client.response("POST")
        assert answer.status == 403
        if not answer.closes:
            client.send(b"hello" + request_bytes(line=b"GET /second HTTP/1.1"))
            assert client.response().body == b"/second"
            return
        client.send(body + request_bytes(line=b"GET /second HTTP/1.1"))
        client.assert_closed()


def test_no_continue_after_the_response_has_started(wire: WireServer) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"a", "more_body": True})
        body, _ = await read_body(receive)
        await send({"type": "http.response.body", "body": body})

    wire.set_app(app)
    with wire.connect() as client:
        client.send(post(b"Content-Length: 5", EXPECT))
        head = client.read_until(b"a\r\n")
        assert b"100" not in head.partition(b"\r\n")[0]
        client.send(b"hello")
        assert client.read_until(b"0\r\n\r\n") == b"5\r\nhello\r\n0\r\n\r\n"


def test_http_1_0_expectation_is_ignored(delivered: WireServer) -> None:
    with delivered.connect() as client:
        client.send(post(b"Content-Length: 5", EXPECT, line=b"POST / HTTP/1.0", body=b"hello"))
        answer = client.response("POST")
        assert (answer.json()["body"], answer.interim) == ("hello", [])


def test_expectation_without_a_body(delivered: WireServer) -> None:
    answer = delivered.exchange(request_bytes(EXPECT))
    assert answer.status == 200
    assert [status for status, _ in answer.interim] in ([], [100])


@pytest.mark.parametrize("value", [b"200-ok", b"100-continue, foo", b"foo", b"100-continuex", b"100"])
def test_other_expectations_fail(delivered: WireServer, value: bytes) -> None:
    before = delivered.app.calls
    with delivered.connect() as client:
        client.send(post(b"Expect: " + value, b"Content-Length: 0"))
        assert client.response("POST").status == 417
    assert delivered.app.calls == before


def test_continue_does_not_overtake_an_earlier_answer(wire: WireServer) -> None:
    gate: Future[None] = Future()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/slow":
            await asyncio.wrap_future(gate)
        body, _ = await read_body(receive)
        await respond(send, scope["path"].encode() + body)

    wire.set_app(app)
    with wire.connect() as client, wire.connect() as other:
        client.send(request_bytes(line=b"GET /slow HTTP/1.1") + post(b"Content-Length: 2", EXPECT))
        other.send(request_bytes())
        assert other.response().status == 200
        client.assert_silent()
        gate.set_result(None)
        answer = client.response()
        assert (answer.body, answer.interim) == (b"/slow", [])
        assert client.read_until(b"\r\n\r\n") == CONTINUE
        client.send(b"hi")
        assert client.response("POST").body == b"/hi"
