"""WebSockets of a real Chromium, which fragments, compresses and closes in its own ways."""

from __future__ import annotations

from typing import Any

from atlas import Application, AsyncWebSocket, HTMLResponse, Request, WebSocket

SCRIPT = """
const [path, messages, code] = arguments;
const done = arguments[arguments.length - 1];
const socket = new WebSocket("ws://" + location.host + path);
const seen = [];
const next = () => {
  const size = messages[seen.length];
  if (size === undefined) { if (code) socket.close(code, "bye"); return; }
  socket.send(size < 0 ? new Uint8Array(-size) : "ü".repeat(size));
};
socket.binaryType = "arraybuffer";
socket.onopen = next;
socket.onmessage = (event) => {
  seen.push(typeof event.data === "string" ? event.data.length : -event.data.byteLength);
  next();
};
socket.onclose = (event) => done([seen, event.code, event.reason, event.wasClean, socket.extensions]);
"""

app = Application()


@app.get("/")
def page(request: Request) -> HTMLResponse:
    return HTMLResponse("<!doctype html><title>WebSocket</title>")


@app.websocket("/echo")
async def echo(websocket: AsyncWebSocket) -> None:
    async for message in websocket:
        await websocket.send(message)


@app.websocket("/close")
def close(websocket: WebSocket) -> None:
    websocket.accept()
    websocket.close(4321, "genug")


@app.websocket("/members")
def members(websocket: WebSocket) -> Any:
    return "members only", 401


def test_a_browser(chrome: Any, serve: Any) -> None:
    server = serve(app)
    host, port = server.sockets[0].getsockname()[:2]
    chrome.set_script_timeout(20)
    chrome.get(f"http://{host}:{port}/")
    sizes = [5, 100, 0, 70_000, 1_000_000, -5, -70_000, -1_000_000]
    seen, code, _reason, clean, extensions = chrome.execute_async_script(SCRIPT, "/echo", sizes, 1000)
    assert (seen, code, clean) == (sizes, 1000, True)
    assert extensions == "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12"
    assert chrome.execute_async_script(SCRIPT, "/close", [], 0)[1:4] == [4321, "genug", True]
    assert chrome.execute_async_script(SCRIPT, "/members", [], 0)[1] == 1006
    assert chrome.execute_async_script(SCRIPT, "/echo", [3], 3999)[1:3] == [3999, ""]
