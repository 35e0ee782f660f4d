"""Messages without events; ``tests/web/websockets`` has them in controllers."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from atlas import Application, WebSocketDisconnected, WebSocketRoute
from atlas.gateway.native import NativeGateway
from tests._speedups.fake_connection import FakeServer

from .opened import HANDSHAKE
from .test_frames import frame


class NativeWebSocket:
    """A WebSocket of an Atlas application on a fake connection."""

    def __init__(self, loop: asyncio.AbstractEventLoop, controller: Any) -> None:
        application = Application([WebSocketRoute("/chat", controller)])
        self.server = FakeServer(loop, gateway=NativeGateway(application, loop))
        self.connection = self.server.connect()
        self.feed(HANDSHAKE + b"\r\n")

    def feed(self, data: bytes) -> None:
        self.server.run(self.connection.feed, data)
        self.server.turn(2)

    @property
    def frames(self) -> bytes:
        return self.connection.sent.partition(b"\r\n\r\n")[2]


def test_iteration_ends_with_the_websocket(loop: asyncio.AbstractEventLoop) -> None:
    seen: list[Any] = []

    async def controller(websocket: Any) -> None:
        seen.extend([message async for message in websocket])
        seen.append(websocket.closed)

    native = NativeWebSocket(loop, controller)
    native.feed(frame(0x81, b"a") + frame(0x82, b"b"))
    native.feed(frame(0x81, b"") + frame(0x88))
    assert seen == ["a", b"b", "", True]
    assert native.frames == b"\x88\x00"


def test_a_message_wakes_one_that_waits(loop: asyncio.AbstractEventLoop) -> None:
    seen: list[Any] = []

    async def controller(websocket: Any) -> None:
        seen.append(await websocket.receive())
        await websocket.send("answer")
        try:
            await websocket.receive()
        except WebSocketDisconnected as error:
            seen.append(error.code)

    native = NativeWebSocket(loop, controller)
    assert seen == []
    native.feed(frame(0x81, b"a"))
    assert (seen, native.frames) == (["a"], b"\x81\x06answer")
    native.feed(frame(0x88, b"\x0f\xa0"))
    assert seen == ["a", 4000]


@pytest.mark.parametrize("answer", ["accept", "deny"])
def test_states(loop: asyncio.AbstractEventLoop, answer: str) -> None:
    seen: list[Any] = []

    async def controller(websocket: Any) -> None:
        seen.append((websocket.accepted, websocket.closed))
        await (websocket.accept() if answer == "accept" else websocket.close())
        seen.append((websocket.accepted, websocket.closed))

    native = NativeWebSocket(loop, controller)
    assert seen == [(False, False), (True, False) if answer == "accept" else (False, True)]
    assert native.connection.sent.startswith(b"HTTP/1.1 101" if answer == "accept" else b"HTTP/1.1 403")
