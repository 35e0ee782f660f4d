"""WebSockets as a type checker sees them. This file is checked and not run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, assert_type

from atlas import Application, AsyncWebSocket, WebSocket, WebSocketDisconnected, WebSocketRoute


@dataclass
class Move:
    x: int


def sync_chat(websocket: WebSocket) -> None:
    websocket.accept("chat")
    assert_type(websocket.receive(), str | bytes)
    assert_type(websocket.receive_json(Move), Move)
    for message in websocket:
        assert_type(message, str | bytes)
    websocket.send_json({"a": 1})
    websocket.close(1000, "bye")


async def async_chat(websocket: AsyncWebSocket, room: str) -> None:
    await websocket.accept()
    assert_type(await websocket.receive_json(Move), Move)
    assert_type(await websocket.receive_json(), Any)
    try:
        async for message in websocket:
            await websocket.send(message)
    except WebSocketDisconnected as error:
        assert_type(error, WebSocketDisconnected)


app = Application([WebSocketRoute("/", sync_chat), WebSocketRoute("/{room}", async_chat)])
