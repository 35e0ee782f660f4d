"""The stop, in one process: idle connections go at once, busy ones finish, long ones are told and then cut."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from atlas import Application, EventSourceResponse, Route

from .raw_client import TIMEOUT, Closed, RawClient
from .wire_server import WireServer, post, read_body, request_bytes, respond

Own = Callable[..., WireServer]


class Held:
    """An application that answers when it is let go."""

    def __init__(self) -> None:
        self.started: Future[None] = Future()
        self.gate: Future[None] = Future()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/held":
            self.started.set_result(None)
            await asyncio.wrap_future(self.gate)
        await respond(send)


HELD = request_bytes(line=b"GET /held HTTP/1.1")


def refuses(address: Any) -> bool:
    try:
        socket.create_connection(address, timeout=TIMEOUT).close()
    except ConnectionError:
        return True
    return False


def wait_until(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < until, "it did not come to pass"
        time.sleep(0.005)


def test_stop_closes_idle_connections_at_once(own: Own) -> None:
    wire = own(timeout_graceful_shutdown=30)
    with wire.connect() as used, wire.connect() as fresh:
        used.send(request_bytes())
        assert used.response().status == 200
        wire.server.stop()
        used.assert_closed()
        fresh.assert_closed()
    wait_until(lambda: refuses(wire.address))


def test_stop_lets_a_request_in_work_finish(own: Own) -> None:
    app = Held()
    wire = own(app, timeout_graceful_shutdown=30)
    with wire.connect() as client, wire.connect() as idle:
        client.send(HELD)
        app.started.result(TIMEOUT)
        wire.server.stop()
        idle.assert_closed()
        wait_until(lambda: refuses(wire.address))
        client.assert_silent()
        app.gate.set_result(None)
        answer = client.response()
        assert (answer.status, answer.closes) == (200, True)
        client.assert_closed()


def test_stop_answers_every_accepted_request_of_a_pipeline(own: Own) -> None:
    app = Held()
    wire = own(app, timeout_graceful_shutdown=30)
    with wire.connect() as client, wire.connect() as idle:
        client.send(HELD + request_bytes() + request_bytes())
        app.started.result(TIMEOUT)
        idle.send(request_bytes())
        assert idle.response().status == 200
        wire.server.stop()
        idle.assert_closed()
        app.gate.set_result(None)
        answers = [client.response()]
        while not answers[-1].closes:
            answers.append(client.response())
        assert {answer.status for answer in answers} == {200}
        client.assert_closed()


def test_stop_lets_an_upload_finish(own: Own) -> None:
    started: Future[None] = Future()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        started.set_result(None)
        body, complete = await read_body(receive)
        await respond(send, body if complete else b"cut")

    wire = own(app, timeout_graceful_shutdown=30)
    with wire.connect() as client, wire.connect() as idle:
        client.send(post(b"Content-Length: 5", body=b"he"))
        started.result(TIMEOUT)
        wire.server.stop()
        idle.assert_closed()
        client.send(b"llo")
        answer = client.response("POST")
        assert (answer.body, answer.closes) == (b"hello", True)
        client.assert_closed()


def test_stop_lets_a_stream_finish(own: Own) -> None:
    gate: Future[None] = Future()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"first", "more_body": True})
        await asyncio.wrap_future(gate)
        await send({"type": "http.response.body", "body": b"second"})

    wire = own(app, timeout_graceful_shutdown=30)
    with wire.connect() as client, wire.connect() as idle:
        client.send(request_bytes())
        client.read_until(b"first\r\n")
        wire.server.stop()
        idle.assert_closed()
        gate.set_result(None)
        assert client.read_all() == b"6\r\nsecond\r\n0\r\n\r\n"


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_endless_stream_is_told_then_cut_then_the_lifespan_ends(serve: Any, loop: str) -> None:
    told: list[str] = []
    streaming: Future[None] = Future()
    over: Future[None] = Future()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            told.append("lifespan.shutdown")
            await send({"type": "lifespan.shutdown.complete"})
            over.set_result(None)
            return
        await read_body(receive)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"tick", "more_body": True})
        streaming.set_result(None)
        try:
            told.append((await receive())["type"])
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            told.append("cancelled")
            raise

    server = serve(app, loop=loop, lifespan="on", timeout_graceful_shutdown=0.2)
    with RawClient(server.sockets[0].getsockname()[:2]) as client:
        client.send(request_bytes())
        streaming.result(TIMEOUT)
        server.stop()
        assert not client.read_all().endswith(b"0\r\n\r\n")
    over.result(TIMEOUT)
    assert told == ["http.disconnect", "cancelled", "lifespan.shutdown"]


def test_stream_that_heeds_the_disconnect_is_not_cancelled(own: Own) -> None:
    told: Future[str] = Future()
    streaming: Future[None] = Future()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await read_body(receive)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"tick", "more_body": True})
        streaming.set_result(None)
        try:
            event = await receive()
            await asyncio.sleep(0)
            told.set_result(event["type"])
        except asyncio.CancelledError:
            told.set_result("cancelled")
            raise

    wire = own(app, timeout_graceful_shutdown=0.2)
    with wire.connect() as client:
        client.send(request_bytes())
        streaming.result(TIMEOUT)
        wire.server.stop()
        client.read_all()
    assert told.result(TIMEOUT) == "http.disconnect"


async def plain_events(scope: Any, receive: Any, send: Any) -> None:
    """Server-sent events of an application that listens for the disconnect, as those of other frameworks do."""
    await read_body(receive)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"Content-Type", b"text/event-stream")]})
    await send({"type": "http.response.body", "body": b"data: 1\n\n", "more_body": True})
    assert (await receive())["type"] == "http.disconnect"
    await send({"type": "http.response.body", "body": b""})


async def own_events(request: Any) -> Any:
    async def events() -> Any:
        yield "1"
        await asyncio.Event().wait()

    return EventSourceResponse(events())


@pytest.mark.parametrize("app", [plain_events, Application([Route("/", own_events)])], ids=["asgi", "atlas"])
def test_stop_ends_server_sent_events_at_once(own: Own, app: Any) -> None:
    """The grace is for requests that have an end. A browser connects to another server in a moment."""
    wire = own(app, timeout_graceful_shutdown=600)
    with wire.connect() as client:
        client.send(request_bytes())
        client.read_until(b"data: 1\n\n\r\n")
        wire.server.stop()
        assert client.read_all().endswith(b"0\r\n\r\n")
    wait_until(lambda: not wire.server.started)


def test_second_stop_ends_it_at_once(own: Own) -> None:
    app = Held()
    wire = own(app, timeout_graceful_shutdown=60)
    with wire.connect() as client, wire.connect() as idle:
        client.send(HELD)
        app.started.result(TIMEOUT)
        wire.server.stop()
        idle.assert_closed()
        client.assert_silent()
        wire.server.stop()
        try:
            answer = client.response()
        except Closed:
            return
        assert answer.status >= 500
        assert answer.closes


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_application_that_hangs_does_not_hold_the_stop(loop: str) -> None:
    from atlas import Server, Settings

    started: Future[None] = Future()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        started.set_result(None)
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                await asyncio.sleep(0.01)

    settings = Settings(port=0, loop=loop, lifespan="off", access_log=False, timeout_graceful_shutdown=0.2)
    begun = time.monotonic()
    with Server(app, settings).run_in_thread() as server, RawClient(server.sockets[0].getsockname()[:2]) as client:
        client.send(request_bytes())
        started.result(TIMEOUT)
    assert time.monotonic() - begun < TIMEOUT


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_port_is_free_after_each_of_many_servers(loop: str) -> None:
    from atlas import Server, Settings

    port = 0
    for _ in range(10):
        settings = Settings(port=port, loop=loop, lifespan="off", access_log=False)
        with Server(Held(), settings).run_in_thread() as server:
            port = server.sockets[0].getsockname()[1]
            with RawClient(("127.0.0.1", port)) as client:
                client.send(request_bytes())
                assert client.response().status == 200
        assert refuses(("127.0.0.1", port))


def test_stop_answers_requests_that_no_turn_of_the_loop_has_seen(own: Own) -> None:
    """Those of open connections, and those of connections that still wait in the queue of the kernel."""
    blocked, gate = threading.Event(), threading.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/block":
            blocked.set()
            gate.wait(TIMEOUT)
        await respond(send)

    wire = own(app, timeout_graceful_shutdown=30)
    with contextlib.ExitStack() as stack:
        kept = [stack.enter_context(wire.connect()) for _ in range(20)]
        for client in kept:
            client.send(request_bytes())
            assert client.response().status == 200
        blocking = stack.enter_context(wire.connect())
        blocking.send(request_bytes(line=b"GET /block HTTP/1.1"))
        blocked.wait(TIMEOUT)
        fresh = [stack.enter_context(wire.connect()) for _ in range(100)]
        for client in [*kept, *fresh]:
            client.send(request_bytes())
        wire.server.stop()
        gate.set()
        assert {client.response().status for client in [blocking, *kept, *fresh]} == {200}


async def stream_without_end(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    while True:
        await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})


async def large_response(scope: Any, receive: Any, send: Any) -> None:
    await respond(send, b"x" * 30_000_000)


@pytest.mark.parametrize(
    ("app", "line"),
    [
        (stream_without_end, "1 requests are still running"),
        (large_response, "1 responses are not read by their clients"),
    ],
)
def test_stop_ends_responses_that_the_client_does_not_read(
    own: Own, records: list[logging.LogRecord], app: Any, line: str
) -> None:
    wire = own(app, timeout_graceful_shutdown=0.1)
    with wire.connect(receive_buffer=4096) as client:
        client.send(request_bytes())
        client.read_until(b"\r\n\r\n")
        wire.server.stop()
        wait_until(lambda: not wire.server.started)
        logged = [record.getMessage() for record in records if record.levelno >= logging.WARNING]
        assert logged == [f"{line} after 0.1 seconds (--timeout-graceful-shutdown): they are ended"]


# The same by signals, in a process of its own.

PROGRAM = """
import asyncio, sys
import atlas

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        print("lifespan over", flush=True)
        await send({"type": "lifespan.shutdown.complete"})
        return
    if scope["path"] == "/held":
        print("started", flush=True)
        await receive()
        while (await receive())["type"] == "http.request":
            pass
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})

atlas.run(app, uds=sys.argv[1], loop=sys.argv[2], access_log=False, timeout_graceful_shutdown=float(sys.argv[3]))
"""


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Callable[..., tuple[subprocess.Popen[bytes], str]]]:
    running: list[subprocess.Popen[bytes]] = []

    def start(loop: str, grace: float, program: str = PROGRAM) -> tuple[subprocess.Popen[bytes], str]:
        path = min(str(tmp_path / "s"), os.path.relpath(tmp_path / "s"), key=len)  # 107 bytes at most
        command = [sys.executable, "-c", program, path, loop, str(grace)]
        running.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE))
        wait_until(lambda: answers(path) or running[-1].poll() is not None)
        return running[-1], path

    yield start
    for child in running:
        child.kill()
        child.communicate()


def answers(path: str) -> bool:
    try:
        RawClient(path).close()
    except (ConnectionError, FileNotFoundError):
        return False
    return True


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_stops_with_status_0(process: Any, loop: str, number: int) -> None:
    child, path = process(loop, 30)
    with RawClient(path) as idle:
        idle.send(request_bytes())
        assert idle.response().status == 200
        child.send_signal(number)
        idle.assert_closed()
    out, err = child.communicate(timeout=TIMEOUT)
    assert child.returncode == 0, err
    assert b"lifespan over" in out
    assert b"Traceback" not in err


STREAMS = """
import asyncio, sys
import atlas

async def events(request):
    async def content():
        yield "1"
        await asyncio.Event().wait()
    return atlas.EventSourceResponse(content())

async def endless(request):
    async def content():
        while True:
            yield b"tick"
            await asyncio.sleep(0.01)
    return atlas.StreamingResponse(content())

app = atlas.Application([
    atlas.Route("/", lambda request: "ok"), atlas.Route("/events", events), atlas.Route("/endless", endless)
])
atlas.run(app, uds=sys.argv[1], loop=sys.argv[2], access_log=False, timeout_graceful_shutdown=float(sys.argv[3]))
"""


@pytest.mark.parametrize(
    ("path", "begins", "grace", "is_whole"),
    [("/", b"ok", 300, True), ("/events", b"data: 1", 300, True), ("/endless", b"tick", 1, False)],
)
def test_connections_that_stay_open_do_not_hold_the_stop(
    process: Any, path: str, begins: bytes, grace: float, is_whole: bool
) -> None:
    """An idle connection and server-sent events end long before the grace, an endless stream with it."""
    child, socket_path = process("uvloop", grace, STREAMS)
    with RawClient(socket_path) as client:
        client.send(request_bytes(line=b"GET %s HTTP/1.1" % path.encode()))
        client.read_until(begins)
        child.send_signal(signal.SIGTERM)
        rest = client.read_all()
        assert path == "/" or rest.endswith(b"0\r\n\r\n") is is_whole
    _, err = child.communicate(timeout=TIMEOUT)
    assert child.returncode == 0, err
    assert (b"--timeout-graceful-shutdown" in err) is not is_whole


def test_second_signal_ends_it_at_once(process: Any) -> None:
    child, path = process("uvloop", 600)
    with RawClient(path) as client, RawClient(path) as idle:
        client.send(HELD)
        assert child.stdout.readline() == b"started\n"
        child.send_signal(signal.SIGTERM)
        idle.assert_closed()
        assert child.poll() is None
        child.send_signal(signal.SIGTERM)
        _, err = child.communicate(timeout=TIMEOUT)
    assert b"Traceback" not in err
