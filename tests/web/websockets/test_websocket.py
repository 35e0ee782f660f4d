"""The object that a controller gets, in sync and async controllers, under every server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from atlas import Application, AsyncWebSocket, WebSocket, WebSocketDisconnected, WebSocketRoute, await_

Open = Callable[..., ClientConnection]
PATIENCE = 10.0


@dataclass
class Point:
    x: int
    y: int


def sync_echo(websocket: WebSocket) -> None:
    for message in websocket:
        websocket.send(message)


async def async_echo(websocket: AsyncWebSocket) -> None:
    async for message in websocket:
        await websocket.send(message)


@pytest.mark.parametrize("echo", [sync_echo, async_echo])
def test_messages(open_websocket: Open, echo: Any) -> None:
    with open_websocket(Application([WebSocketRoute("/", echo)]), "/") as client:
        for message in ("text", "Grüße", b"bytes", "", b"", "x" * 100_000, b"y" * 100_000):
            client.send(message)
            assert client.recv(PATIENCE) == message


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_json(open_websocket: Open, kind: str) -> None:
    def sync(websocket: WebSocket) -> None:
        point = websocket.receive_json(Point)
        websocket.send_json({"sum": point.x + point.y, "any": websocket.receive_json()})

    async def asynchronous(websocket: AsyncWebSocket) -> None:
        point = await websocket.receive_json(Point)
        await websocket.send_json({"sum": point.x + point.y, "any": await websocket.receive_json()})

    controller: Any = sync if kind == "sync" else asynchronous
    with open_websocket(Application([WebSocketRoute("/", controller)]), "/") as client:
        client.send('{"x": 1, "y": 2}')
        client.send(b"[null]")
        assert client.recv(PATIENCE) == '{"sum":3,"any":[null]}'


@pytest.mark.parametrize("message", ["no json", '{"x": 1}'])
def test_json_that_is_wrong_closes_with_1008(open_websocket: Open, message: str) -> None:
    def controller(websocket: WebSocket) -> None:
        websocket.receive_json(Point)

    with open_websocket(Application([WebSocketRoute("/", controller)]), "/") as client:
        client.send(message)
        with pytest.raises(ConnectionClosed) as caught:
            client.recv(PATIENCE)
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == 1008


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_the_handshake(open_websocket: Open, kind: str) -> None:
    def facts(websocket: Any, room: int) -> dict[str, Any]:
        return {
            "room": room,
            "path": websocket.path,
            "params": websocket.path_params,
            "query": websocket.query["a"],
            "cookie": websocket.cookies["c"],
            "header": websocket.headers["x-test"],
            "subprotocols": websocket.subprotocols,
            "scheme": websocket.scheme,
            "url": websocket.url.partition("//")[2].partition("/")[2],
            "secure": websocket.is_secure,
            "ip": websocket.ip,
            "accepted": websocket.accepted,
        }

    def sync(websocket: WebSocket, room: int) -> None:
        told = facts(websocket, room)
        websocket.accept("chat", headers={"x-answer": "yes"})
        websocket.send_json(told)

    async def asynchronous(websocket: AsyncWebSocket, room: int) -> None:
        told = facts(websocket, room)
        await websocket.accept("chat", headers=[("x-answer", "yes")])
        await websocket.send_json(told)

    controller: Any = sync if kind == "sync" else asynchronous
    app = Application([WebSocketRoute("/rooms/{room:int}", controller)])
    headers = {"cookie": "c=1", "x-test": "yes"}
    with open_websocket(app, "/rooms/7?a=b", additional_headers=headers, subprotocols=["other", "chat"]) as client:
        assert client.subprotocol == "chat"
        assert client.response is not None
        assert client.response.headers["x-answer"] == "yes"
        assert json.loads(client.recv(PATIENCE)) == {
            "room": 7,
            "path": "/rooms/7",
            "params": {"room": 7},
            "query": "b",
            "cookie": "1",
            "header": "yes",
            "subprotocols": ["other", "chat"],
            "scheme": "ws",
            "url": "rooms/7?a=b",
            "secure": False,
            "ip": "127.0.0.1",
            "accepted": False,
        }


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_disconnect(open_websocket: Open, kind: str, server_name: str) -> None:
    ended: Future[tuple[int, str, bool]] = Future()

    def sync(websocket: WebSocket) -> None:
        try:
            websocket.receive()
        except WebSocketDisconnected as error:
            with pytest.raises(WebSocketDisconnected):
                websocket.send("late")
            with pytest.raises(WebSocketDisconnected):
                websocket.receive()
            websocket.close()  # it is closed
            ended.set_result((error.code, error.reason, websocket.closed))

    async def asynchronous(websocket: AsyncWebSocket) -> None:
        try:
            await websocket.receive()
        except WebSocketDisconnected as error:
            with pytest.raises(WebSocketDisconnected):
                await websocket.send("late")
            with pytest.raises(WebSocketDisconnected):
                await websocket.receive()
            await websocket.close()
            ended.set_result((error.code, error.reason, websocket.closed))

    controller: Any = sync if kind == "sync" else asynchronous
    client = open_websocket(Application([WebSocketRoute("/", controller)]), "/")
    client.close(4001, "genug")
    told = ended.result(PATIENCE)
    assert told == ((1006, "", True) if server_name == "hypercorn" else (4001, "genug", True))


def test_a_disconnect_that_is_not_caught_is_no_error(open_websocket: Open, caplog: pytest.LogCaptureFixture) -> None:
    ended: Future[None] = Future()

    async def controller(websocket: AsyncWebSocket) -> None:
        try:
            await websocket.receive()
        finally:
            ended.set_result(None)

    open_websocket(Application([WebSocketRoute("/", controller)]), "/").close()
    ended.result(PATIENCE)
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


@pytest.mark.parametrize("code", [1000, 1001, 3000, 4999])
def test_the_controller_closes(open_websocket: Open, code: int) -> None:
    def controller(websocket: WebSocket) -> None:
        websocket.send("last")
        websocket.close(code, "genug")
        websocket.close()  # it is closed

    with open_websocket(Application([WebSocketRoute("/", controller)]), "/") as client:
        assert client.recv(PATIENCE) == "last"
        with pytest.raises(ConnectionClosed) as caught:
            client.recv(PATIENCE)
    assert caught.value.rcvd is not None
    assert (caught.value.rcvd.code, caught.value.rcvd.reason) == (code, "genug")


def test_a_controller_that_returns_closes_with_1000(open_websocket: Open) -> None:
    async def controller(websocket: AsyncWebSocket) -> None:
        await websocket.accept()

    client = open_websocket(Application([WebSocketRoute("/", controller)]), "/")
    with pytest.raises(ConnectionClosed) as caught:
        client.recv(PATIENCE)
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 1000


def test_a_controller_that_raises_closes_with_1011(open_websocket: Open, caplog: pytest.LogCaptureFixture) -> None:
    def controller(websocket: WebSocket) -> None:
        websocket.accept()
        raise ValueError("on purpose")

    client = open_websocket(Application([WebSocketRoute("/", controller)]), "/")
    with pytest.raises(ConnectionClosed) as caught:
        client.recv(PATIENCE)
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 1011
    assert "on purpose" in caplog.text


@pytest.mark.parametrize("message", [None, 1, ["x"], {"a": 1}])
def test_a_message_of_another_type(open_websocket: Open, message: Any) -> None:
    def controller(websocket: WebSocket) -> None:
        with pytest.raises(TypeError, match="expected a message as str or bytes, got"):
            websocket.send(message)
        websocket.send("next")

    with open_websocket(Application([WebSocketRoute("/", controller)]), "/") as client:
        assert client.recv(PATIENCE) == "next"


def test_a_second_accept(open_websocket: Open) -> None:
    async def controller(websocket: AsyncWebSocket) -> None:
        await websocket.accept()
        with pytest.raises(RuntimeError, match="expected one answer to the handshake"):
            await websocket.accept()
        await websocket.send("next")

    with open_websocket(Application([WebSocketRoute("/", controller)]), "/") as client:
        assert client.recv(PATIENCE) == "next"


def test_sync_code_waits_while_others_are_served(open_websocket: Open) -> None:
    def controller(websocket: WebSocket) -> None:
        for message in websocket:
            await_(asyncio.sleep(0))
            websocket.send(message)

    app = Application([WebSocketRoute("/", controller)])
    first, second = open_websocket(app, "/"), open_websocket(app, "/")
    for client in (second, first, second):
        client.send("hello")
        assert client.recv(PATIENCE) == "hello"


def test_sync_code_in_threads(open_websocket: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    app = Application([WebSocketRoute("/", sync_echo)], config={"sync_mode": "thread"})
    with open_websocket(app, "/") as client:
        client.send("hello")
        assert client.recv(PATIENCE) == "hello"


def test_several_tasks(open_websocket: Open) -> None:
    """One task receives while another sends."""

    async def controller(websocket: AsyncWebSocket) -> None:
        async def count() -> None:
            for number in range(3):
                await websocket.send(str(number))

        await websocket.accept()
        async with asyncio.TaskGroup() as group:
            group.create_task(count())
            received = await websocket.receive()
        await websocket.send(received)

    with open_websocket(Application([WebSocketRoute("/", controller)]), "/") as client:
        assert [client.recv(PATIENCE) for _ in range(3)] == ["0", "1", "2"]
        client.send("last")
        assert client.recv(PATIENCE) == "last"
