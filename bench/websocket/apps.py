"""Echo servers: an ASGI application, controllers of Atlas, and the server of picows."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from atlas import Application, AsyncWebSocket, WebSocket, WebSocketRoute


async def asgi(scope: Any, receive: Any, send: Any) -> None:
    """Send back what comes, as a raw ASGI application."""
    await receive()
    await send({"type": "websocket.accept"})
    while True:
        event = await receive()
        if event["type"] != "websocket.receive":
            return
        if (text := event.get("text")) is not None:
            await send({"type": "websocket.send", "text": text})
        else:
            await send({"type": "websocket.send", "bytes": event["bytes"]})


async def echo(websocket: AsyncWebSocket) -> None:
    """Send back what comes."""
    async for message in websocket:
        await websocket.send(message)


def sync_echo(websocket: WebSocket) -> None:
    """Send back what comes."""
    for message in websocket:
        websocket.send(message)


app = Application([WebSocketRoute("/", echo)])
sync_app = Application([WebSocketRoute("/", sync_echo)])


async def serve_picows(port: int) -> None:
    """Serve with picows alone, without ASGI."""
    from picows import WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeRequest, ws_create_server

    class Echo(WSListener):  # type: ignore[misc]
        def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
            if frame.msg_type == WSMsgType.CLOSE:
                transport.send_close(frame.get_close_code(), frame.get_close_message())
                transport.disconnect()
            elif frame.msg_type == WSMsgType.TEXT or frame.msg_type == WSMsgType.BINARY:
                transport.send(frame.msg_type, frame.get_payload_as_bytes())

    def listener(request: WSUpgradeRequest) -> WSListener:
        return Echo()

    server = await ws_create_server(listener, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve_picows(int(sys.argv[1])))
