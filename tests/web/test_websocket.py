from collections.abc import Callable
from typing import Any

import httpx
import pytest

from atlas import Application, Route, StartupError
from atlas.web.websocket import WebSocketRoute

Ask = Callable[..., httpx.Response]
Drive = Callable[..., list[dict[str, Any]]]


async def talk(socket: Any) -> None: ...


@pytest.fixture
def app() -> Application:
    return Application([WebSocketRoute("/talk", talk), Route("/talk", lambda request: "page")])


def test_a_websocket_route_beside_a_route(ask: Ask, app: Application) -> None:
    app.websocket("/other", name="other")(talk)
    assert [(route.path, route.methods) for route in app.iter_routes()] == [
        ("/talk", ("WEBSOCKET",)),
        ("/talk", ("GET",)),
        ("/other", ("WEBSOCKET",)),
    ]
    assert ask(app, "GET", "/talk").text == "page"
    assert ask(app, "POST", "/talk").headers["allow"] == "GET, HEAD, OPTIONS"
    assert ask(app, "GET", "/other").status_code == 404
    assert ask(app, "GET", "/other/").status_code == 404
    assert app.url_for("other") == "/other"


@pytest.mark.parametrize(("path", "status", "logged"), [("/talk", 501, True), ("/nothing", 404, False)])
def test_handshakes_are_refused(
    call: Drive, app: Application, caplog: pytest.LogCaptureFixture, path: str, status: int, logged: bool
) -> None:
    closed = call(app, type="websocket", path=path)
    assert closed == [{"type": "websocket.close", "code": 1000}]
    start, body = call(app, type="websocket", path=path, extensions={"websocket.http.response": {}})
    assert (start["type"], start["status"]) == ("websocket.http.response.start", status)
    assert body["type"] == "websocket.http.response.body"
    assert ("WebSocket routes are not supported yet" in caplog.text) == logged


def test_the_same_path_twice_stops_the_start() -> None:
    with pytest.raises(StartupError, match=r"test_websocket.py:\d+: .* is answered already by '/talk'"):
        Application([WebSocketRoute("/talk", talk), WebSocketRoute("/talk", talk, name="b")])


@pytest.mark.parametrize("interface", ["auto", "asgi"])
def test_a_handshake_to_the_server_of_atlas_is_501_and_logged_once(
    serve: Any, app: Application, caplog: pytest.LogCaptureFixture, interface: str
) -> None:
    app.websocket("/other")(talk)
    server = serve(app, interface=interface)
    handshake = {
        "connection": "Upgrade",
        "upgrade": "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==",
    }
    host, port = server.sockets[0].getsockname()[:2]
    with httpx.Client(base_url=f"http://{host}:{port}", headers=handshake) as client:
        assert [client.get(path).status_code for path in ("/other", "/other", "/nothing")] == [501, 501, 404]
    with httpx.Client(base_url=f"http://{host}:{port}") as client:
        assert client.get("/other").status_code == 404
    logged = [message for message in caplog.messages if "asks for a WebSocket" in message]
    assert len(logged) == 1
