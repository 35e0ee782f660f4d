"""The same WebSockets in four frameworks and in Atlas: ``/echo`` sends back, ``/close`` closes, ``/deny`` denies."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, WebSocket, WebSocketException
from litestar import WebSocket as LitestarWebSocket

__all__ = ["SITES"]


def starlette() -> Any:
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import WebSocketRoute
    from starlette.websockets import WebSocketDisconnect

    async def echo(websocket: WebSocket) -> None:
        subprotocols = websocket.scope["subprotocols"]
        await websocket.accept(subprotocols[0] if subprotocols else None, headers=[(b"x-site", b"starlette")])
        try:
            while True:
                event = await websocket.receive()
                if event["type"] == "websocket.disconnect":
                    return
                if event.get("text") is not None:
                    await websocket.send_text(event["text"])
                else:
                    await websocket.send_bytes(event["bytes"])
        except WebSocketDisconnect:
            return

    async def close(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_json({"said": await websocket.receive_json()})
        await websocket.close(4321, "genug")

    async def deny(websocket: WebSocket) -> None:
        await websocket.send_denial_response(PlainTextResponse("members only", 403))

    return Starlette(
        routes=[WebSocketRoute("/echo", echo), WebSocketRoute("/close", close), WebSocketRoute("/deny", deny)]
    )


def fastapi() -> Any:
    app = FastAPI()

    @app.websocket("/echo")
    async def echo(websocket: WebSocket) -> None:
        subprotocols = websocket.scope["subprotocols"]
        await websocket.accept(subprotocols[0] if subprotocols else None)
        while True:
            event = await websocket.receive()
            if event["type"] == "websocket.disconnect":
                return
            if event.get("text") is not None:
                await websocket.send_text(event["text"])
            else:
                await websocket.send_bytes(event["bytes"])

    @app.websocket("/close")
    async def close(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_json({"said": await websocket.receive_json()})
        await websocket.close(4321, "genug")

    @app.websocket("/deny")
    async def deny(websocket: WebSocket) -> None:
        raise WebSocketException(1008, "members only")

    return app


def litestar() -> Any:
    from litestar import Litestar, websocket
    from litestar.exceptions import NotAuthorizedException, WebSocketDisconnect

    @websocket("/echo")
    async def echo(socket: LitestarWebSocket[Any, Any, Any]) -> None:
        subprotocols = socket.scope["subprotocols"]
        await socket.accept(subprotocols=subprotocols[0] if subprotocols else None)
        try:
            while True:
                event = await socket.receive()
                if event["type"] == "websocket.disconnect":
                    return
                await socket.send_data(event.get("text") or event.get("bytes") or "", mode=_mode(event))
        except WebSocketDisconnect:
            return

    def _mode(event: Any) -> Any:
        return "text" if event.get("text") is not None else "binary"

    @websocket("/close")
    async def close(socket: LitestarWebSocket[Any, Any, Any]) -> None:
        await socket.accept()
        await socket.send_json({"said": await socket.receive_json()})
        await socket.close(4321, "genug")

    @websocket("/deny")
    async def deny(socket: LitestarWebSocket[Any, Any, Any]) -> None:
        raise NotAuthorizedException("members only")

    return Litestar([echo, close, deny])


def quart() -> Any:
    from quart import Quart, abort, websocket

    app = Quart(__name__)

    @app.websocket("/echo")
    async def echo() -> None:
        requested = websocket.requested_subprotocols
        await websocket.accept(subprotocol=requested[0] if requested else None)
        while True:
            await websocket.send(await websocket.receive())

    @app.websocket("/close")
    async def close() -> None:
        await websocket.accept()
        await websocket.send_json({"said": await websocket.receive_json()})
        await websocket.close(4321, "genug")

    @app.websocket("/deny")
    async def deny() -> None:
        abort(403)

    return app


def atlas() -> Any:
    from atlas import Application, AsyncWebSocket, Forbidden
    from atlas import WebSocket as AtlasWebSocket

    app = Application()

    @app.websocket("/echo")
    async def echo(websocket: AsyncWebSocket) -> None:
        await websocket.accept(websocket.subprotocols[0] if websocket.subprotocols else None)
        async for message in websocket:
            await websocket.send(message)

    @app.websocket("/close")
    def close(websocket: AtlasWebSocket) -> None:
        websocket.send_json({"said": websocket.receive_json()})
        websocket.close(4321, "genug")

    @app.websocket("/deny")
    def deny(websocket: AtlasWebSocket) -> None:
        raise Forbidden("members only")

    return app


def lasgi() -> Any:
    def app(scope: Any, receive: Any, send: Any) -> None:
        receive()
        if scope["path"] == "/deny":
            send({"type": "websocket.close"})
            return
        subprotocols = scope["subprotocols"]
        send({"type": "websocket.accept", "subprotocol": subprotocols[0] if subprotocols else None})
        while (event := receive())["type"] == "websocket.receive":
            if scope["path"] == "/close":
                send({"type": "websocket.send", "text": '{"said":' + event["text"] + "}"})
                send({"type": "websocket.close", "code": 4321, "reason": "genug"})
            else:
                send(event | {"type": "websocket.send"})

    return app


SITES = {
    "starlette": starlette,
    "fastapi": fastapi,
    "litestar": litestar,
    "quart": quart,
    "atlas": atlas,
    "lasgi": lasgi,
}
