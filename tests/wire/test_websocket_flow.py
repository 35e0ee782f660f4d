"""WebSockets over time: backpressure both ways, pings, and a server that stops."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import Future
from typing import Any

import pytest

from .raw_client import TIMEOUT, send_until_it_waits
from .test_stop import wait_until
from .test_websocket_handshake import echo
from .test_websocket_messages import Recorder
from .websocket_client import BINARY, CLOSE, PING, PONG, TEXT, WebSocketClient, frame, handshake
from .wire_server import WireServer


@pytest.mark.parametrize("size", [10, 50_000])
def test_reading_pauses_while_the_application_does_not_receive(wire: WireServer, size: int) -> None:
    gate: Future[None] = Future()
    total: Future[int] = Future()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await asyncio.wrap_future(gate)
        count = 0
        while (await receive())["type"] == "websocket.receive":
            count += 1
        total.set_result(count)

    wire.set_app(app)
    with wire.connect() as raw:
        WebSocketClient(raw).open()
        message = frame(BINARY, b"x" * size)
        sent = send_until_it_waits(raw.socket, message * (4_000_000 // len(message) + 1) * 8)
        assert sent < 30_000_000
        gate.set_result(None)
        raw.socket.settimeout(TIMEOUT)
        rest = -sent % len(message)
        raw.send(message[len(message) - rest :] if rest else b"")
        raw.send(frame(CLOSE))
        assert total.result(TIMEOUT) == -(-sent // len(message))


def test_send_waits_for_a_client_that_does_not_read(wire: WireServer) -> None:
    sent: list[int] = []
    waits: Future[None] = Future()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        for number in range(400):
            sending = asyncio.ensure_future(send({"type": "websocket.send", "bytes": b"x" * 100_000}))
            await asyncio.sleep(0)
            if not sending.done() and not waits.done():
                waits.set_result(None)
            await sending
            sent.append(number)

    wire.set_app(app)
    with wire.connect(receive_buffer=65536) as raw:
        client = WebSocketClient(raw)
        client.open()
        waits.result(TIMEOUT)
        assert len(sent) < 200
        for _ in range(400):
            assert len(client.receive()[1]) == 100_000
        assert client.closed() == (1000, "")


def test_a_client_that_never_reads_is_given_up(own: Any) -> None:
    ended: Future[Any] = Future()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        try:
            while True:
                await send({"type": "websocket.send", "bytes": b"x" * 1_000_000})
        except OSError as error:
            ended.set_result((error, await receive()))

    wire = own(app, timeout_write=0.2)
    with wire.connect(receive_buffer=65536) as raw:
        WebSocketClient(raw).open()
        error, event = ended.result(TIMEOUT)
    assert "--timeout-write" in str(error)
    assert event["code"] == 1006


def test_pings_are_answered_in_order_and_not_gathered_without_bound(wire: WireServer) -> None:
    wire.set_app(echo)
    with wire.connect(receive_buffer=65536) as raw:
        client = WebSocketClient(raw)
        client.open()
        client.raw.send(b"".join(frame(PING, str(number)) for number in range(1000)))
        assert [client.receive() for _ in range(1000)] == [(PONG, b"%d" % number) for number in range(1000)]


# --------------------------------------------------------------------------------------------------------------- pings


def test_pings_at_an_interval(own: Any) -> None:
    app = Recorder()
    wire = own(app, ws_ping_interval=0.1, ws_ping_timeout=TIMEOUT)
    with wire.connect() as raw:
        client = WebSocketClient(raw)
        client.open()
        for _ in range(3):
            assert client.receive() == (PING, b"")
            client.send(PONG)
        client.close()
    assert app.events == []
    assert app.disconnect() == (1000, "")


def test_a_client_that_does_not_answer_is_closed_with_1011(own: Any) -> None:
    app = Recorder()
    wire = own(app, ws_ping_interval=0.1, ws_ping_timeout=0.1)
    with wire.connect() as raw:
        client = WebSocketClient(raw)
        client.open()
        assert client.receive() == (PING, b"")
        assert client.closed() == (1011, "keepalive ping timeout")
    assert app.disconnect() == (1011, "keepalive ping timeout")


def test_data_is_a_sign_of_life(own: Any) -> None:
    """A client may be in the middle of a large frame, behind which its pong waits."""
    app = Recorder()
    wire = own(app, ws_ping_interval=0.05, ws_ping_timeout=0.4)
    with wire.connect() as raw:
        client = WebSocketClient(raw)
        client.open()
        data = frame(BINARY, b"x" * 20)
        for byte in data:
            raw.send(bytes([byte]))
            time.sleep(0.06)
        client.send(CLOSE, b"\x03\xe8")
        assert app.disconnect() == (1000, "")
    assert app.events == [{"type": "websocket.receive", "bytes": b"x" * 20}]


@pytest.mark.parametrize("settings", [{"ws_ping_interval": None}, {"ws_ping_interval": 0}])
def test_no_pings(own: Any, settings: dict[str, Any]) -> None:
    wire = own(echo, timeout_keep_alive=0.1, timeout_request_head=0.1, **settings)
    with wire.connect() as raw:
        client = WebSocketClient(raw)
        client.open()
        time.sleep(0.4)
        client.send(TEXT, "still there")
        assert client.receive() == (TEXT, b"still there")


def test_an_application_that_does_not_receive_is_not_the_clients_fault(own: Any) -> None:
    """The pong waits behind what isn't read."""
    gate: Future[None] = Future()
    app = Recorder()

    async def late(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})
        await asyncio.wrap_future(gate)
        await app(scope, receive, lambda event: asyncio.sleep(0))

    wire = own(late, ws_ping_interval=0.05, ws_ping_timeout=0.05, ws_max_queue=1)
    with wire.connect() as raw:
        client = WebSocketClient(raw)
        client.open()
        client.raw.send(frame(TEXT, "x") * 10)
        time.sleep(0.4)
        gate.set_result(None)
        client.send(CLOSE, b"\x03\xe8")
        assert app.disconnect() == (1000, "")
    assert len(app.events) == 10


# ---------------------------------------------------------------------------------------------------------------- stop


def test_a_stop_closes_with_1012_and_waits_for_the_application(own: Any) -> None:
    ended: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        ended.append(await receive())
        await asyncio.sleep(0.1)
        ended.append("cleaned up")

    wire = own(app)
    with wire.connect() as raw:
        client = WebSocketClient(raw)
        client.open()
        wire.server.stop()
        assert client.closed() == (1012, "the server stops")
        client.send(CLOSE, b"\x03\xf4")
        raw.assert_closed()
        wait_until(lambda: not wire.server.started)
    assert ended == [{"type": "websocket.disconnect", "code": 1012, "reason": "the server stops"}, "cleaned up"]


def test_an_application_that_goes_on_is_cancelled(own: Any) -> None:
    ended: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append("cancelled")

    wire = own(app, timeout_graceful_shutdown=0.2)
    with wire.connect() as raw:
        client = WebSocketClient(raw)
        client.open()
        wire.server.stop()
        assert client.closed() == (1012, "the server stops")
        raw.assert_closed()  # it has not answered: its time is over as well
        wait_until(lambda: not wire.server.started)
    assert ended == ["cancelled"]


def test_a_client_has_the_drain_to_answer(own: Any) -> None:
    wire = own(echo, timeout_graceful_shutdown=TIMEOUT)
    wire.server.drain_timeout = TIMEOUT
    with wire.connect() as raw:
        client = WebSocketClient(raw)
        client.open()
        wire.server.stop()
        assert client.closed() == (1012, "the server stops")
        client.send(TEXT, "on its way")
        client.send(CLOSE, b"\x03\xf4")
        raw.assert_closed()
    wait_until(lambda: not wire.server.started)


def test_a_handshake_while_the_server_stops_is_503(own: Any) -> None:
    wire = own(echo, timeout_graceful_shutdown=TIMEOUT)
    wire.server.drain_timeout = TIMEOUT
    with wire.connect() as raw, wire.connect() as other:
        client = WebSocketClient(other)
        client.open()
        raw.send(handshake()[:-2])
        wire.server.stop()
        assert client.closed()[0] == 1012
        raw.send(b"\r\n")
        assert raw.response().status == 503
        other.send(frame(CLOSE))
        other.assert_closed()
    wait_until(lambda: not wire.server.started)
