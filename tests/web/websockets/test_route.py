from collections.abc import Callable
from typing import Any

import httpx
import pytest

from atlas import Application, Route, StartupError, WebSocketRoute

Ask = Callable[..., httpx.Response]
Drive = Callable[..., list[dict[str, Any]]]


async def talk(websocket: Any) -> None: ...


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


def test_the_same_path_twice_stops_the_start() -> None:
    with pytest.raises(StartupError, match=r"test_route.py:\d+: .* is answered already by '/talk'"):
        Application([WebSocketRoute("/talk", talk), WebSocketRoute("/talk", talk, name="b")])


@pytest.mark.parametrize("origin", ["example.com", "https://example.com/path"])
def test_a_wrong_origin_stops_the_start(origin: str) -> None:
    with pytest.raises(ValueError, match="WebSocketRoute"):
        WebSocketRoute("/talk", talk, origins=[origin])
    with pytest.raises(TypeError, match="WebSocketRoute: origins"):
        WebSocketRoute("/talk", talk, origins=origin)


HANDSHAKE = {
    "connection": "Upgrade",
    "upgrade": "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==",
}


def test_a_server_without_websockets_answers_501_and_says_so_once(
    serve: Any, app: Application, caplog: pytest.LogCaptureFixture
) -> None:
    app.websocket("/other")(talk)
    server = serve(app, ws="none")
    host, port = server.sockets[0].getsockname()[:2]
    with httpx.Client(base_url=f"http://{host}:{port}", headers=HANDSHAKE) as client:
        assert [client.get(path).status_code for path in ("/other", "/other", "/nothing")] == [501, 501, 404]
    with httpx.Client(base_url=f"http://{host}:{port}") as client:
        assert client.get("/other").status_code == 404
    logged = [message for message in caplog.messages if "asks for a WebSocket" in message]
    assert len(logged) == 1
