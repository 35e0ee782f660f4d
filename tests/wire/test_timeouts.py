"""The time-outs. Each test waits for the event; the bounds are generous and nothing is measured."""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest

from .raw_client import TIMEOUT
from .wire_server import WireServer, chunked, post, read_body, request_bytes, respond

Own = Callable[..., WireServer]
SHORT = 0.1


def test_silent_connection_is_closed_silently(own: Own) -> None:
    with own(timeout_request_head=SHORT).connect() as client:
        client.assert_closed()


@pytest.mark.parametrize(
    "start", [b"G", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: a\r\n", b"GET / HTTP/1.1\r\nHost: a\r\n\r"]
)
def test_unfinished_head_is_a_408(own: Own, start: bytes) -> None:
    wire = own(timeout_request_head=SHORT)
    with wire.connect() as client:
        client.send(start)
        answer = client.response()
        assert (answer.status, answer.closes) == (408, True)
        client.assert_closed()
    assert wire.app.calls == 0


def test_dripping_does_not_extend_the_time_for_the_head(own: Own) -> None:
    with own(timeout_request_head=SHORT).connect() as client:
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\nX: ")
        client.socket.settimeout(0.02)
        data = b""
        for _ in range(int(TIMEOUT / 0.02)):
            client.send(b"y")
            try:
                data = client.socket.recv(65536)
                break
            except TimeoutError:
                continue
        assert data.startswith(b"HTTP/1.1 408 ")


def test_unfinished_second_head_is_a_408(own: Own) -> None:
    with own(timeout_request_head=SHORT).connect() as client:
        client.send(request_bytes())
        assert client.response().status == 200
        client.send(b"GET / HT")
        assert client.response().status == 408
        client.assert_closed()


def test_time_for_the_head_ends_with_the_head(own: Own) -> None:
    """The response may take longer than a head may."""
    wire = own(timeout_request_head=SHORT)
    gate: Future[None] = Future()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.wrap_future(gate)
        await respond(send)

    wire.set_app(app)
    with wire.connect() as client, wire.connect() as silent:
        client.send(request_bytes())
        silent.assert_closed()  # the time-out of a connection that was opened later has passed
        with wire.connect() as another:
            another.assert_closed()
        gate.set_result(None)
        assert client.response().status == 200


@pytest.mark.parametrize(
    "request_", [post(b"Content-Length: 5", body=b"hel"), chunked(b"5\r\nhel"), chunked(b"5\r\nhello\r\n")]
)
def test_stalled_body_is_a_disconnect(own: Own, request_: bytes) -> None:
    told: Future[Any] = Future()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        told.set_result(await read_body(receive))

    with own(app, timeout_request_body=SHORT).connect() as client:
        client.send(request_)
        client.read_all()
    body, complete = told.result(TIMEOUT)
    assert (body[:3], complete) == (b"hel", False)


def test_each_piece_of_a_body_extends_its_time(own: Own) -> None:
    """One upload drips for as long as two others, one after the other, need to time out."""
    wire = own(timeout_request_body=0.5, min_request_body_rate=0)
    with wire.connect() as dripping:
        dripping.send(post(b"Content-Length: 1000"))
        sent = 0
        for _ in range(2):
            with wire.connect() as stalled:
                stalled.send(post(b"Content-Length: 1000"))
                while not select.select([stalled.socket], [], [], 0.02)[0]:
                    dripping.send(b"y")
                    sent += 1
                stalled.read_all()
        dripping.send(b"y" * (1000 - sent))
        assert dripping.response("POST").json()["complete"]


def test_a_body_in_drips_is_a_disconnect(own: Own) -> None:
    told: Future[Any] = Future()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        told.set_result(await read_body(receive))

    with own(app, timeout_request_body=0.3).connect() as client:
        client.send(post(b"Content-Length: 1000"))
        while not select.select([client.socket], [], [], 0.02)[0]:
            client.send(b"y")
        client.read_all()
    body, complete = told.result(TIMEOUT)
    assert 0 < len(body) < 1000
    assert not complete


def test_body_that_is_not_awaited_has_no_timeout(own: Own) -> None:
    gate: Future[None] = Future()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/slow":
            await asyncio.wrap_future(gate)
        await respond(send, (await read_body(receive))[0])

    wire = own(app, timeout_request_body=SHORT)
    with wire.connect() as client, wire.connect() as other:
        client.send(post(b"Content-Length: 5", line=b"POST /slow HTTP/1.1"))
        other.send(post(b"Content-Length: 5"))
        other.read_all()  # until its time-out has passed
        client.assert_silent()
        client.send(b"hello")
        gate.set_result(None)
        assert client.response("POST").body == b"hello"


def test_idle_connection_is_closed_silently(own: Own) -> None:
    with own(timeout_keep_alive=SHORT).connect() as client:
        client.send(request_bytes())
        assert client.response().status == 200
        client.assert_closed()


def test_keep_alive_does_not_end_a_request(own: Own) -> None:
    gate: Future[None] = Future()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/slow":
            await asyncio.wrap_future(gate)
        await respond(send)

    wire = own(app, timeout_keep_alive=SHORT)
    with wire.connect() as client, wire.connect() as other:
        client.send(request_bytes() + request_bytes(line=b"GET /slow HTTP/1.1"))
        assert client.response().status == 200
        other.send(request_bytes())
        assert other.response().status == 200
        other.assert_closed()
        client.assert_silent()
        gate.set_result(None)
        assert client.response().status == 200


def test_client_that_reads_nothing_is_aborted(own: Own) -> None:
    told: Future[BaseException | None] = Future()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        try:
            for _ in range(1000):
                await send({"type": "http.response.body", "body": b"z" * 65536, "more_body": True})
        except BaseException as error:
            told.set_result(error)
            raise
        told.set_result(None)

    with own(app, timeout_write=SHORT).connect(receive_buffer=4096) as client:
        client.send(request_bytes())
        assert isinstance(told.result(TIMEOUT), OSError)


def test_client_that_reads_slowly_is_not_aborted(own: Own) -> None:
    """One client reads a little now and then, for as long as another, that reads nothing, needs to be aborted."""
    aborted: Future[None] = Future()
    size = 64 * 1024 * 1024

    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % size)]})
            for _ in range(size // 65536):
                await send({"type": "http.response.body", "body": b"z" * 65536, "more_body": True})
            await send({"type": "http.response.body"})
        except OSError:
            aborted.set_result(None)

    wire = own(app, timeout_write=0.5)
    with wire.connect() as slow, wire.connect(receive_buffer=4096) as stalled:
        stalled.send(request_bytes())
        slow.send(request_bytes())
        slow.read_until(b"\r\n\r\n")
        got = len(slow._unread)
        while not aborted.done():
            got += len(slow.socket.recv(131072))
            select.select([], [], [], 0.005)
        assert got < size
        while got < size:
            piece = slow.socket.recv(1 << 20)
            assert piece, f"aborted after {got} of {size} bytes"
            got += len(piece)
