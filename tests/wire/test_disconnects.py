"""Clients that go away: what ``receive`` and ``send`` tell the application."""

from __future__ import annotations

import asyncio
import logging
import socket
from concurrent.futures import Future
from typing import Any

import pytest

import atlas

from .raw_client import TIMEOUT, RawClient
from .wire_server import WireServer, chunked, post, read_body, request_bytes, respond

GONE = {"type": "http.disconnect"}


def close(client: RawClient) -> None:
    client.socket.close()


def reset(client: RawClient) -> None:
    client.reset()


def finish(client: RawClient) -> None:
    client.finish()


@pytest.mark.parametrize("leave", [close, reset, finish])
@pytest.mark.parametrize(
    "request_", [post(b"Content-Length: 5", body=b"hel"), chunked(b"5\r\nhel"), chunked(b"5\r\nhello\r\n")]
)
def test_end_of_stream_inside_a_body_is_a_disconnect(delivered: WireServer, leave: Any, request_: bytes) -> None:
    told: Future[Any] = Future()
    first: Future[None] = Future()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        event = await receive()
        first.set_result(None)
        rest, complete = await read_body(receive)
        told.set_result((event["body"] + rest, complete, await receive()))

    delivered.set_app(app)
    with delivered.connect() as client:
        client.send(request_)
        first.result(TIMEOUT)
        leave(client)
        body, complete, again = told.result(TIMEOUT)
    assert b"hello".startswith(body)
    assert not complete
    assert again == GONE


@pytest.mark.parametrize("request_", [post(b"Content-Length: 5", body=b"hel"), chunked(b"5\r\nhel")])
def test_half_closed_inside_a_body_is_still_answered(delivered: WireServer, request_: bytes) -> None:
    with delivered.connect() as client:
        client.send(request_)
        client.finish()
        told = client.response("POST").json()
        assert told["complete"] is False
        client.assert_closed()


@pytest.mark.parametrize("leave", [close, reset, finish])
def test_receive_after_the_body_waits_for_the_disconnect(wire: WireServer, leave: Any) -> None:
    waiting: Future[None] = Future()
    told: Future[Any] = Future()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await read_body(receive)
        waiting.set_result(None)
        told.set_result(await receive())

    wire.set_app(app)
    with wire.connect() as client:
        client.send(request_bytes())
        waiting.result(TIMEOUT)
        assert not told.done()
        leave(client)
        assert told.result(TIMEOUT) == GONE


@pytest.mark.parametrize("leave", [close, reset])
def test_send_after_the_client_left_raises_an_oserror(wire: WireServer, leave: Any) -> None:
    gone: Future[None] = Future()
    told: Future[BaseException | None] = Future()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"a", "more_body": True})
        await read_body(receive)
        await receive()
        gone.set_result(None)
        try:
            for _ in range(1000):  # the kernel may take some before it knows
                await send({"type": "http.response.body", "body": b"z" * 65536, "more_body": True})
        except BaseException as error:
            told.set_result(error)
            raise
        told.set_result(None)

    wire.set_app(app)
    with wire.connect() as client:
        client.send(request_bytes())
        client.read_until(b"a\r\n")
        leave(client)
        gone.result(TIMEOUT)
        assert isinstance(told.result(TIMEOUT), OSError)


@pytest.mark.parametrize("leave", [close, reset])
def test_send_that_waits_is_woken_when_the_client_leaves(wire: WireServer, leave: Any) -> None:
    blocked: Future[None] = Future()
    told: Future[BaseException | None] = Future()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        try:
            while True:
                sending = asyncio.ensure_future(
                    send({"type": "http.response.body", "body": b"z" * 65536, "more_body": True})
                )
                for _ in range(200):
                    await asyncio.sleep(0)
                if not sending.done() and not blocked.done():
                    blocked.set_result(None)
                await sending
        except BaseException as error:
            told.set_result(error)
            raise

    wire.set_app(app)
    with wire.connect(receive_buffer=4096) as client:
        client.send(request_bytes())
        blocked.result(TIMEOUT)
        leave(client)
        assert isinstance(told.result(TIMEOUT), OSError)


def test_abandoned_requests_are_not_logged_as_errors(wire: WireServer, records: Any) -> None:
    """A client that leaves is no fault of the application, also if that lets the OSError pass."""
    done: Future[None] = Future()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await read_body(receive)
        await receive()
        try:
            for _ in range(100):
                await respond(send, b"z" * 65536)
        finally:
            done.set_result(None)

    wire.set_app(app)
    with wire.connect() as client:
        client.send(request_bytes())
        client.reset()
        done.result(TIMEOUT)
    wire.app.clear()
    assert wire.exchange(request_bytes()).status == 200
    assert not [record for record in records if record.levelname == "ERROR" and "Disconnected" in str(record.exc_info)]


def test_application_is_not_cancelled_when_the_client_leaves(wire: WireServer) -> None:
    gate: Future[None] = Future()
    started: Future[None] = Future()
    told: Future[str] = Future()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        started.set_result(None)
        try:
            await asyncio.wrap_future(gate)
        except asyncio.CancelledError:
            told.set_result("cancelled")
            raise
        told.set_result("finished")

    wire.set_app(app)
    with wire.connect() as client:
        client.send(request_bytes())
        started.result(TIMEOUT)
        client.reset()
    wire.app.clear()
    assert wire.exchange(request_bytes()).status == 200
    gate.set_result(None)
    assert told.result(TIMEOUT) == "finished"


@pytest.mark.parametrize("leave", [close, reset, finish])
@pytest.mark.parametrize("start", [b"", b"\r\n", b"G", b"GET / HTTP/1.1\r\nHost: a\r\n"])
def test_leaving_before_a_whole_head_is_no_request(wire: WireServer, leave: Any, start: bytes) -> None:
    before = wire.app.calls
    with wire.connect() as client:
        client.send(start)
        leave(client)
        if leave is finish:
            data = client.read_all()
            assert data == b"" or data.startswith(b"HTTP/1.1 400 ")
    assert wire.exchange(request_bytes()).status == 200
    assert wire.app.calls == before + 1


def test_pipelined_requests_of_a_client_that_reset_learn_of_it(wire: WireServer) -> None:
    first: Future[None] = Future()
    told: list[Future[Any]] = [Future(), Future()]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        number = int(scope["path"][1:])
        await read_body(receive)
        if number == 0:
            first.set_result(None)
        told[number].set_result(await receive())

    wire.set_app(app)
    with wire.connect() as client:
        client.send(request_bytes(line=b"GET /0 HTTP/1.1") + request_bytes(line=b"GET /1 HTTP/1.1"))
        first.result(TIMEOUT)
        client.reset()
        assert told[0].result(TIMEOUT) == GONE
    wire.app.clear()
    assert wire.exchange(request_bytes()).status == 200


class Gone(Exception):
    """What an application raises that was told of a disconnect, as Starlette does."""


@pytest.mark.parametrize("leave", [close, reset, finish])
@pytest.mark.parametrize("told", [True, False])
def test_only_an_application_that_was_not_told_has_failed(
    wire: WireServer, records: list[logging.LogRecord], leave: Any, told: bool
) -> None:
    """A client that closes within its upload is no error of the application, whatever it raises."""
    started: Future[None] = Future()
    ended: Future[None] = Future()
    gate: Future[None] = Future()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        started.set_result(None)
        try:
            if told:
                await read_body(receive)
            else:
                await asyncio.wrap_future(gate)
            raise Gone
        finally:
            ended.set_result(None)

    wire.set_app(app)
    with wire.connect() as client:
        client.send(post(b"Content-Length: 5", body=b"hel", line=b"POST /upload HTTP/1.1"))
        started.result(TIMEOUT)
        leave(client)
        if not told:
            gate.set_result(None)
        ended.result(TIMEOUT)
    wire.app.clear()
    assert wire.exchange(request_bytes()).status == 200  # a turn of the loop later
    logged = [record.levelno for record in records if "/upload" in record.getMessage()]
    assert [level for level in logged if level >= logging.WARNING] == ([] if told else [logging.ERROR])


@pytest.mark.skipif(not hasattr(socket, "TCP_LINGER2"), reason="needs an option of Linux")
@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_a_client_that_is_gone_after_its_end_was_seen_is_probed(serve: Any, loop: str) -> None:
    """The client closes, and its system forgets the connection (after a second; by default after a minute).

    Nothing is sent to tell the server, whose loop has seen the end of the client's side. The request is a GET, whose
    controller is cancelled when the client is known to be gone.
    """
    started: Future[None] = Future()
    over: Future[str] = Future()

    async def wait(request: atlas.Request) -> str:
        started.set_result(None)
        try:
            await asyncio.sleep(TIMEOUT)
        except asyncio.CancelledError:
            over.set_result("cancelled")
            raise
        over.set_result("not noticed")
        return ""

    server = serve(atlas.Application([atlas.Route("/", wait)]), loop=loop, timeout_write=1)
    client = RawClient(server.sockets[0].getsockname()[:2])
    client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_LINGER2, 1)
    client.send(request_bytes())
    started.result(TIMEOUT)
    client.close()
    assert over.result(2 * TIMEOUT) == "cancelled"
