"""Messages and the end of WebSockets: RFC 6455, sections 5 to 7; ASGI's send, receive, close and disconnect."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import Future
from typing import Any

import pytest

from atlas.errors import ClientDisconnected, WebSocketDisconnected

from .raw_client import TIMEOUT
from .test_websocket_handshake import echo
from .websocket_client import BINARY, CLOSE, PING, PONG, TEXT, WebSocketClient, frame
from .wire_server import WireServer


class Recorder:
    """An application that accepts, and keeps the events that it receives, up to the disconnect."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.ended: Future[dict[str, Any]] = Future()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        while (event := await receive())["type"] != "websocket.disconnect":
            self.events.append(event)
        self.ended.set_result(event)

    def disconnect(self) -> tuple[int, str]:
        """The code and the reason of the disconnect."""
        event = self.ended.result(TIMEOUT)
        assert event.pop("type") == "websocket.disconnect"
        return event["code"], event["reason"]


# ----------------------------------------------------------------------------------------------------------- messages


def test_text_and_bytes(delivered: WireServer) -> None:
    app = Recorder()
    delivered.set_app(app)
    with delivered.connect() as raw:
        client = WebSocketClient(raw)
        client.open()
        client.send(TEXT, "Grüße")
        client.send(BINARY, b"\0\xff")
        client.send(0x01, "a")
        client.send(0x00, "b")
        client.send(PING, "p")
        client.send(0x80, "c")
        assert client.receive() == (PONG, b"p")
        client.close()
    assert app.events == [
        {"type": "websocket.receive", "text": "Grüße"},
        {"type": "websocket.receive", "bytes": b"\0\xff"},
        {"type": "websocket.receive", "text": "abc"},
    ]
    assert app.disconnect() == (1000, "")


@pytest.mark.parametrize("size", [0, 1, 125, 126, 16383, 16384, 65535, 65536, 1_000_000])
def test_an_echo_of_any_size(wire: WireServer, size: int) -> None:
    wire.set_app(echo)
    payload = os.urandom(size)
    with wire.connect() as raw:
        client = WebSocketClient(raw)
        client.open()
        client.send(BINARY, payload)
        assert client.receive() == (BINARY, payload)
        client.send(TEXT, "ü" * (size // 2))
        assert client.receive() == (TEXT, ("ü" * (size // 2)).encode())
        client.send(TEXT, "x" * size)
        assert client.receive() == (TEXT, b"x" * size)
        client.close()


def test_many_messages_in_one_write(wire: WireServer) -> None:
    wire.set_app(echo)
    with wire.connect() as raw:
        client = WebSocketClient(raw)
        client.open()
        client.raw.send(b"".join(frame(TEXT, str(number)) for number in range(5000)))
        assert [client.receive()[1] for _ in range(5000)] == [b"%d" % number for number in range(5000)]
        client.close()


def test_anything_that_is_bytes_can_be_sent(wire: WireServer) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})
        for data in (bytearray(b"a"), memoryview(b"b"), b"c"):
            await send({"type": "websocket.send", "bytes": data, "text": None})

    wire.set_app(app)
    with wire.connect() as raw:
        client = WebSocketClient(raw)
        client.open()
        assert [client.receive() for _ in range(3)] == [(BINARY, b"a"), (BINARY, b"b"), (BINARY, b"c")]
        assert client.closed() == (1000, "")


@pytest.mark.parametrize(
    ("event", "error"),
    [
        ({}, RuntimeError),
        ({"text": None, "bytes": None}, RuntimeError),
        ({"text": "a", "bytes": b"b"}, RuntimeError),
        ({"text": b"a"}, TypeError),
        ({"bytes": "a"}, TypeError),
        ({"bytes": [1]}, TypeError),
        ({"text": "\ud800"}, UnicodeEncodeError),
        ({"type": "websocket.close", "code": 1005}, ValueError),
        ({"type": "websocket.close", "code": None}, TypeError),
        ({"type": "websocket.close", "reason": "x" * 124}, ValueError),
        ({"type": "websocket.accept"}, RuntimeError),
        ({"type": "websocket.http.response.start", "status": 200}, RuntimeError),
        ({"type": "websocket.http.response.body"}, RuntimeError),
        ({"type": "websocket.nonsense"}, RuntimeError),
    ],
)
def test_a_wrong_event_raises_and_nothing_is_sent(wire: WireServer, event: Any, error: type[Exception]) -> None:
    caught: list[type[Exception]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})
        try:
            await send({"type": "websocket.send"} | event)
        except Exception as raised:
            caught.append(type(raised))
        await send({"type": "websocket.send", "text": "next"})

    wire.set_app(app)
    with wire.connect() as raw:
        client = WebSocketClient(raw)
        client.open()
        assert client.receive() == (TEXT, b"next")
        assert client.closed() == (1000, "")
    assert caught == [error]


# ------------------------------------------------------------------------------------------------- the client closes


@pytest.mark.parametrize(
    ("payload", "code", "reason"),
    [
        (b"", 1005, ""),
        (b"\x03\xe8", 1000, ""),
        (b"\x03\xe9going", 1001, "going"),
        (b"\x0f\xa0" + "tschüß".encode(), 4000, "tschüß"),
    ],
)
def test_the_client_closes(delivered: WireServer, payload: bytes, code: int, reason: str) -> None:
    app = Recorder()
    delivered.set_app(app)
    with delivered.connect() as raw:
        client = WebSocketClient(raw)
        client.open()
        client.send(TEXT, "last")
        client.send(CLOSE, payload)
        assert client.receive() == (CLOSE, payload[:2])
        raw.assert_closed()
    assert [event["text"] for event in app.events] == ["last"]
    assert app.disconnect() == (code, reason)


def test_what_comes_behind_a_close_is_dropped(wire: WireServer) -> None:
    app = Recorder()
    wire.set_app(app)
    with wire.connect() as raw:
        client = WebSocketClient(raw)
        client.open()
        raw.send(frame(CLOSE) + frame(TEXT, "late") + b"\xff" * 100_000)
        assert client.closed() == (1005, "")
        raw.assert_closed()
    assert app.disconnect() == (1005, "")
    assert app.events == []


@pytest.mark.parametrize("how", ["finish", "reset", "cut"])
def test_a_client_that_goes_without_a_close(wire: WireServer, how: str) -> None:
    app = Recorder()
    wire.set_app(app)
    with wire.connect() as raw:
        client = WebSocketClient(raw)
        client.open()
        if how == "cut":
            raw.send(frame(TEXT, "cut")[:5])
        (raw.reset if how == "reset" else raw.finish)()
        assert app.disconnect() == (1006, "")
        if how != "reset":
            raw.assert_closed()


@pytest.mark.parametrize("end", [frame(CLOSE, b"\x03\xe8"), frame(0x83)])
def test_send_after_the_end_raises_an_oserror(wire: WireServer, end: bytes) -> None:
    """ASGI, WebSocket 2.4, "Disconnected Client"."""
    result: Future[Any] = Future()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        event = await receive()
        errors = []
        for _ in range(2):
            try:
                await send({"type": "websocket.send", "text": "x"})
            except OSError as error:
                errors.append(error)
        await send({"type": "websocket.close"})  # it is closed: that is what was asked for
        try:
            await receive()
        except RuntimeError as error:
            errors.append(error)
        result.set_result((event, errors))

    wire.set_app(app)
    with wire.connect() as raw:
        WebSocketClient(raw).open()
        raw.send(end)
        event, errors = result.result(TIMEOUT)
    assert event["type"] == "websocket.disconnect"
    assert [type(each) for each in errors] == [WebSocketDisconnected, WebSocketDisconnected, RuntimeError]


def test_each_of_several_that_wait_is_told(wire: WireServer) -> None:
    result: Future[Any] = Future()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        result.set_result(await asyncio.gather(receive(), receive(), receive()))

    wire.set_app(app)
    with wire.connect() as raw:
        client = WebSocketClient(raw)
        client.open()
        client.send(TEXT, "one")
        client.close(4001)
    events = [event.get("text", event.get("code")) for event in result.result(TIMEOUT)]
    assert sorted(events, key=str) == [4001, 4001, "one"]


def test_a_cancelled_receive_loses_nothing(wire: WireServer) -> None:
    result: Future[Any] = Future()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        waiting = asyncio.create_task(receive())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
        await send({"type": "websocket.send", "text": "go"})
        result.set_result(await receive())

    wire.set_app(app)
    with wire.connect() as raw:
        client = WebSocketClient(raw)
        client.open()
        assert client.receive() == (TEXT, b"go")
        client.send(TEXT, "kept")
        assert result.result(TIMEOUT)["text"] == "kept"


# --------------------------------------------------------------------------------------------- the application closes


def test_the_application_closes(wire: WireServer) -> None:
    result: Future[Any] = Future()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": "last"})
        await send({"type": "websocket.close", "code": 4002, "reason": "genug"})
        errors = []
        for event in ({"type": "websocket.send", "text": "x"}, {"type": "websocket.close"}):
            try:
                await send(event)
            except RuntimeError as error:
                errors.append(error)
        result.set_result((await receive(), len(errors)))

    wire.set_app(app)
    with wire.connect() as raw:
        client = WebSocketClient(raw)
        client.open()
        assert client.receive() == (TEXT, b"last")
        assert client.closed() == (4002, "genug")
        client.send(TEXT, "on its way")
        client.send(PING, "x")
        client.send(CLOSE, b"\x0f\xa2")
        raw.assert_closed()
    assert result.result(TIMEOUT) == ({"type": "websocket.disconnect", "code": 4002, "reason": "genug"}, 2)


def test_an_application_that_returns_closes_with_1000(wire: WireServer) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})

    wire.set_app(app)
    with wire.connect() as raw:
        client = WebSocketClient(raw)
        client.open()
        assert client.closed() == (1000, "")
        client.send(CLOSE, b"\x03\xe8")
        raw.assert_closed()


def test_an_application_that_raises_closes_with_1011(wire: WireServer, records: list[Any]) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})
        await receive()
        raise ValueError("on purpose")

    wire.set_app(app)
    with wire.connect() as raw:
        client = WebSocketClient(raw)
        client.open()
        assert client.closed() == (1011, "internal error")
    assert ["exception in the application" in record.getMessage() for record in records] == [True]


@pytest.mark.parametrize("name", ["WebSocketDisconnect", "ClientDisconnected", "ValueError"])
def test_what_is_raised_after_a_disconnect(wire: WireServer, records: list[Any], name: str) -> None:
    """A disconnect that a framework raises on is no error; anything else is."""
    error = {"ClientDisconnected": ClientDisconnected, "ValueError": ValueError}.get(name) or type(
        name, (Exception,), {}
    )
    ended: Future[None] = Future()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        if ended.done():
            return
        await receive()
        ended.set_result(None)
        raise error("1000")

    wire.set_app(app)
    with wire.connect() as raw:
        client = WebSocketClient(raw)
        client.open()
        client.close()
        ended.result(TIMEOUT)
    with wire.connect() as raw:  # the loop has had another turn
        client = WebSocketClient(raw)
        client.open()
        assert client.closed() == (1000, "")
    errors = [record for record in records if record.levelname == "ERROR"]
    assert len(errors) == (1 if name == "ValueError" else 0)


# ---------------------------------------------------------------------------------------------------------- violations


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (frame(TEXT, "x", mask=False), 1002),
        (frame(0x83), 1002),
        (frame(0xC1, "x"), 1002),
        (frame(0x80, "x"), 1002),
        (frame(0x09), 1002),
        (frame(PING, b"x" * 126), 1002),
        (frame(CLOSE, b"x"), 1002),
        (frame(CLOSE, b"\x03\xed"), 1002),
        (frame(CLOSE, b"\x03\xe8\xff"), 1007),
        (frame(TEXT, b"\xff"), 1007),
        (frame(0x01, b"\xe2") + frame(0x80, b"x"), 1007),
        (frame(BINARY, b"x" * 1001), 1009),
    ],
)
def test_a_violation_closes(own: Any, data: bytes, code: int) -> None:
    app = Recorder()
    wire = own(app, ws_max_size=1000)
    with wire.connect() as raw:
        client = WebSocketClient(raw)
        client.open(more=frame(TEXT, "good"))
        raw.send(data + b"\x81" * 200_000)
        assert client.closed()[0] == code
        raw.assert_closed()
    assert [event["text"] for event in app.events] == ["good"]
    assert app.disconnect()[0] == code


def test_a_message_over_the_limit_is_logged_with_the_flag(own: Any, records: list[Any]) -> None:
    wire = own(echo, ws_max_size=1000)
    with wire.connect() as raw:
        client = WebSocketClient(raw)
        client.open()
        client.send(BINARY, b"x" * 1001)
        assert client.closed() == (1009, "a message of more than 1000 bytes")
    assert any("(--ws-max-size)" in record.getMessage() for record in records)


def test_no_limit(own: Any) -> None:
    wire = own(echo, ws_max_size=0)
    payload = b"x" * 20_000_000
    with wire.connect() as raw:
        client = WebSocketClient(raw)
        client.open()
        client.send(BINARY, payload)
        assert client.receive() == (BINARY, payload)
