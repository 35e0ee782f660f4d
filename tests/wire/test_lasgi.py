"""LASGI over real sockets: ``def app(scope, receive, send)``, whose interface the server detects."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from atlas.errors import ClientDisconnected
from atlas.gateway.greenlets import await_

from .raw_client import TIMEOUT, RawClient
from .wire_server import chunked, post, request_bytes

Serve = Callable[..., Any]


@pytest.fixture(params=["uvloop", "asyncio"])
def start(request: pytest.FixtureRequest, serve: Serve) -> Callable[..., Any]:
    """``start(app, **settings)``: a server and a way to connect to it."""

    def begin(app: Any, **settings: Any) -> Callable[..., RawClient]:
        server = serve(app, loop=request.param, **settings)
        address = server.sockets[0].getsockname()[:2]

        def connect(**options: Any) -> RawClient:
            return RawClient(address, **options)

        connect.server = server  # type: ignore[attr-defined]
        return connect

    return begin


def answer(send: Any, body: bytes = b"ok", status: int = 200) -> None:
    send({"type": "http.response.start", "status": status, "headers": []})
    send({"type": "http.response.body", "body": body})


def echo(scope: Any, receive: Any, send: Any) -> None:
    body, more = b"", True
    while more:
        event = receive()
        assert event["type"] == "http.request", event
        body += event["body"]
        more = event["more_body"]
    answer(send, scope["method"].encode() + b" " + scope["raw_path"] + b" " + body)


def test_requests_and_their_bodies(start: Any) -> None:
    with start(echo)() as client:
        client.send(request_bytes(line=b"GET /a?b HTTP/1.1"))
        assert client.response().body == b"GET /a "
        client.send(post(b"Content-Length: 5", body=b"he"))
        client.send(b"llo")
        assert client.response("POST").body == b"POST / hello"
        client.send(chunked(b"3\r\nabc\r\n0\r\n\r\n"))
        assert client.response("POST").body == b"POST / abc"


def test_pipelined_requests_are_answered_in_order(start: Any) -> None:
    with start(echo)() as client:
        client.send(b"".join(request_bytes(line=b"GET /%d HTTP/1.1" % number) for number in range(20)))
        assert [client.response().body for _ in range(20)] == [b"GET /%d " % number for number in range(20)]


def test_hundreds_wait_at_the_same_time_and_others_are_served(start: Any) -> None:
    many, here = 200, threading.Semaphore(0)
    gate = threading.Event()

    def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/open":
            gate.set()
            opened.set()
        elif scope["path"] == "/wait":
            here.release()
            await_(opened.wait())
        answer(send)

    opened = asyncio.Event()
    connect = start(app)
    with ExitStack() as stack:
        peers = [stack.enter_context(connect()) for _ in range(many)]
        for client in peers:
            client.send(request_bytes(line=b"GET /wait HTTP/1.1"))
        for _ in range(many):
            assert here.acquire(timeout=TIMEOUT)
        with connect() as other:
            other.send(request_bytes())
            assert other.response().status == 200
            assert not gate.is_set()
            other.send(request_bytes(line=b"GET /open HTTP/1.1"))
            assert other.response().status == 200
        assert {client.response().status for client in peers} == {200}


def test_a_client_that_leaves_is_told_by_receive_and_by_send(start: Any) -> None:
    seen: list[Any] = []
    ended, begun = threading.Event(), threading.Event()

    def app(scope: Any, receive: Any, send: Any) -> None:
        receive()
        begun.set()
        seen.append(receive()["type"])
        try:
            answer(send)
        except ClientDisconnected as error:
            seen.append(type(error))
        ended.set()

    with start(app)() as client:
        client.send(request_bytes())
        assert begun.wait(TIMEOUT)
        client.reset()
    assert ended.wait(TIMEOUT)
    assert seen == ["http.disconnect", ClientDisconnected]


def test_a_slow_client_does_not_block_others(start: Any) -> None:
    """``send`` waits where the client doesn't read; others are answered meanwhile, and then the rest arrives."""
    piece, pieces = b"x" * 65536, 64
    blocked = threading.Event()

    def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/small":
            answer(send)
            return
        send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(pieces):
            send({"type": "http.response.body", "body": piece, "more_body": True})
        blocked.set()
        send({"type": "http.response.body", "body": b""})

    connect = start(app)
    with connect(receive_buffer=4096) as slow, connect() as quick:
        slow.send(request_bytes(line=b"GET /large HTTP/1.1"))
        quick.send(request_bytes(line=b"GET /small HTTP/1.1"))
        assert quick.response().status == 200
        assert not blocked.is_set()
        assert len(slow.response().body) == len(piece) * pieces
        assert blocked.is_set()


@pytest.fixture
def records() -> Iterator[list[logging.LogRecord]]:
    class Keeper(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            kept.append(record)

    kept: list[logging.LogRecord] = []
    logger, handler = logging.getLogger("atlas.server"), Keeper()
    logger.addHandler(handler)
    yield kept
    logger.removeHandler(handler)


def test_a_failure_is_a_500_and_is_logged_with_its_own_traceback(start: Any, records: Any) -> None:
    def app(scope: Any, receive: Any, send: Any) -> None:
        receive()
        raise ZeroDivisionError("mine")

    with start(app)() as client:
        client.send(request_bytes())
        assert client.response().status == 500
    (record,) = [each for each in records if each.levelno >= logging.ERROR]
    trace = record.exc_info[2]
    while trace.tb_next is not None:
        trace = trace.tb_next
    assert trace.tb_frame.f_code is app.__code__


def test_each_request_has_a_task_of_its_own(start: Any) -> None:
    tasks: list[Any] = []

    def app(scope: Any, receive: Any, send: Any) -> None:
        tasks.append(asyncio.current_task())
        answer(send)

    with start(app)() as client:
        for _ in range(2):
            client.send(request_bytes())
            assert client.response().status == 200
    assert len(set(tasks)) == 2
    assert None not in tasks


# --------------------------------------------------------------------------------------------------- life and death


def test_a_lifespan_in_plain_code(start: Any) -> None:
    seen: list[str] = []

    def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            seen.append(receive()["type"])
            scope["state"]["word"] = b"from the start"
            send({"type": "lifespan.startup.complete"})
            seen.append(receive()["type"])
            send({"type": "lifespan.shutdown.complete"})
            return
        answer(send, scope["state"]["word"])

    connect = start(app, lifespan="on")
    with connect() as client:
        client.send(request_bytes())
        assert client.response().body == b"from the start"
        connect.server.stop()
        client.assert_closed()
    assert seen[0] == "lifespan.startup"


def test_a_stop_waits_for_plain_code(start: Any) -> None:
    begun, gate = threading.Event(), asyncio.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    def app(scope: Any, receive: Any, send: Any) -> None:
        loops.append(asyncio.get_running_loop())
        begun.set()
        await_(gate.wait())
        answer(send, b"in the end")

    connect = start(app, timeout_graceful_shutdown=30)
    with connect() as client, connect() as idle:
        client.send(request_bytes())
        assert begun.wait(TIMEOUT)
        connect.server.stop()
        idle.assert_closed()
        loops[0].call_soon_threadsafe(gate.set)
        assert client.response().body == b"in the end"


def test_what_waits_for_ever_is_ended_by_the_stop(serve: Serve) -> None:
    from atlas import Server

    begun, seen = threading.Semaphore(0), []

    def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            begun.release()
            await_(asyncio.Event().wait())
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise
        finally:
            await_(asyncio.sleep(0))
            seen.append("cleaned up")

    server = Server(app, port=0, lifespan="off", access_log=False, timeout_graceful_shutdown=0)
    with ExitStack() as stack:
        with server.run_in_thread():
            address = server.sockets[0].getsockname()[:2]
            for _ in range(3):
                stack.enter_context(RawClient(address)).send(request_bytes())
            for _ in range(3):
                assert begun.acquire(timeout=TIMEOUT)
        assert sorted(seen) == ["cancelled"] * 3 + ["cleaned up"] * 3
