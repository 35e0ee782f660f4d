"""Middleware, sessions, exception handlers and error pages around a WebSocket, under every server."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from atlas import (
    Application,
    AsyncWebSocket,
    Forbidden,
    HTMLResponse,
    Mount,
    Request,
    RequestID,
    Response,
    Route,
    Sessions,
    TextResponse,
    WebSocket,
    WebSocketRoute,
)
from atlas.web.websockets.serving import handshake_scope

Open = Callable[..., ClientConnection]
Refuse = Callable[..., tuple[int, bytes]]
PATIENCE = 10.0


def hello(websocket: WebSocket) -> None:
    websocket.send("hello")


def test_no_route(refuse: Refuse) -> None:
    app = Application([Route("/page", lambda request: "page"), WebSocketRoute("/chat", hello)])
    assert [refuse(app, path)[0] for path in ("/nothing", "/page", "/chat/")] == [404, 404, 404]


def test_a_page_and_a_websocket_at_one_path(open_websocket: Open) -> None:
    app = Application([Route("/", lambda request: "page"), WebSocketRoute("/", hello)])
    with open_websocket(app, "/") as client:
        assert client.recv(PATIENCE) == "hello"


@pytest.mark.parametrize("kind", ["raises", "returns", "closes"])
def test_a_controller_denies(refuse: Refuse, kind: str, server_name: str) -> None:
    def controller(websocket: WebSocket) -> Any:
        if kind == "raises":
            raise Forbidden("members only")
        if kind == "returns":
            return TextResponse("members only", 403)
        websocket.close()
        return None

    status, body = refuse(Application([WebSocketRoute("/", controller)]), "/")
    assert status == 403
    if server_name != "hypercorn" and kind != "closes":
        assert b"members only" in body


def test_a_controller_that_fails_before_it_accepts(refuse: Refuse, caplog: pytest.LogCaptureFixture) -> None:
    async def controller(websocket: AsyncWebSocket) -> None:
        raise ValueError("on purpose")

    assert refuse(Application([WebSocketRoute("/", controller)]), "/")[0] == 500
    assert "on purpose" in caplog.text


def test_a_controller_that_neither_accepts_nor_denies(refuse: Refuse) -> None:
    async def controller(websocket: AsyncWebSocket) -> None:
        pass

    assert refuse(Application([WebSocketRoute("/", controller)]), "/")[0] == 403


@pytest.mark.parametrize("waits", [False, True])
def test_middleware_around_a_websocket(open_websocket: Open, waits: bool) -> None:
    seen: list[Any] = []
    ended: Future[None] = Future()

    def sync(request: Request, call_next: Any) -> Any:
        seen.append((request.method, request.path))
        response = call_next(request)
        seen.append("ended")
        ended.set_result(None)
        return response

    async def asynchronous(request: Any, call_next: Any) -> Any:
        seen.append((request.method, request.path))
        response = await call_next(request)
        seen.append("ended")
        ended.set_result(None)
        return response

    app = Application([WebSocketRoute("/chat", hello)], middleware=[asynchronous if waits else sync, RequestID()])
    with open_websocket(app, "/chat") as client:
        assert client.recv(PATIENCE) == "hello"
    ended.result(PATIENCE)
    assert seen == [("GET", "/chat"), "ended"]


def test_middleware_denies(refuse: Refuse) -> None:
    called: list[str] = []

    def guard(request: Request, call_next: Any) -> Response:
        return HTMLResponse("no", 418, {"x-guard": "yes"})

    def controller(websocket: WebSocket) -> None:
        called.append("controller")

    app = Application([WebSocketRoute("/", controller, middleware=[guard])])
    assert refuse(app, "/")[0] in (418, 403)
    assert not called


def test_an_exception_handler(refuse: Refuse) -> None:
    def handler(request: Request, error: Exception) -> Response:
        return TextResponse("handled", 409)

    def controller(websocket: WebSocket) -> None:
        raise LookupError

    app = Application([WebSocketRoute("/", controller)], exception_handlers={LookupError: handler})
    assert refuse(app, "/")[0] == 409


def test_sessions(open_websocket: Open) -> None:
    saved: Future[None] = Future()

    def controller(websocket: WebSocket) -> None:
        websocket.send_json(dict(websocket.session))
        websocket.session["seen"] = True

    def outer(request: Request, call_next: Any) -> Any:
        response = call_next(request)
        if not saved.done():
            saved.set_result(None)
        return response

    def login(request: Request) -> str:
        request.session["user"] = "ada"
        return "in"

    app = Application(
        [Route("/login", login), WebSocketRoute("/", controller)],
        middleware=[outer, Sessions(secret_key="k" * 32, store="memory")],
    )
    with open_websocket(app, "/") as client:
        assert json.loads(client.recv(PATIENCE)) == {}
        port = client.protocol.uri.port
        saved.result(PATIENCE)
        cookie = httpx.get(f"http://127.0.0.1:{port}/login", trust_env=False).headers["set-cookie"].partition(";")[0]
    for seen in ({"user": "ada"}, {"user": "ada", "seen": True}):
        with open_websocket(app, "/", additional_headers={"cookie": cookie}) as client:
            assert json.loads(client.recv(PATIENCE)) == seen
            with pytest.raises(ConnectionClosed):  # the session is saved before the WebSocket is closed
                client.recv(PATIENCE)


@pytest.mark.parametrize(
    ("origin", "origins", "allowed"),
    [
        (None, (), True),
        ("http://{host}", (), True),
        ("https://{host}", (), True),
        ("https://evil.example", (), False),
        ("null", (), False),
        ("https://friend.example", ("https://friend.example",), True),
        ("https://evil.example", ("https://friend.example",), False),
        ("https://evil.example", ("*",), True),
    ],
)
def test_the_origin_of_a_page(
    open_websocket: Open, refuse: Refuse, origin: str | None, origins: tuple[str, ...], allowed: bool
) -> None:
    app = Application([WebSocketRoute("/", hello, origins=origins)])
    options = {"origin": origin} if origin else {}
    if allowed:
        with open_websocket(app, "/", **options) as client:
            assert client.recv(PATIENCE) == "hello"
    else:
        assert refuse(app, "/", **options)[0] == 403


def test_a_mounted_application(open_websocket: Open) -> None:
    async def inner(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": scope["root_path"]})
        await send({"type": "websocket.close"})

    with open_websocket(Application([Mount("/app", inner)]), "/app/x") as client:
        assert client.recv(PATIENCE) == "/app"


def test_background_functions(open_websocket: Open) -> None:
    done: Future[str] = Future()
    app = Application()

    @app.websocket("/")
    def controller(websocket: WebSocket) -> None:
        app.background(done.set_result, "after the end")
        websocket.send("hello")

    with open_websocket(app, "/") as client:
        assert client.recv(PATIENCE) == "hello"
    assert done.result(PATIENCE) == "after the end"


def test_the_scope_of_the_handshake() -> None:
    scope = {"type": "websocket", "scheme": "wss", "path": "/"}
    assert handshake_scope(scope) == {"type": "http", "method": "GET", "scheme": "https", "path": "/"}
