"""The handshake of WebSockets: RFC 6455, sections 4.2 and 4.4; ASGI's accept, close and denial."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

import pytest

from atlas.errors import ClientDisconnected

from .raw_client import TIMEOUT
from .websocket_client import CLOSE, TEXT, WebSocketClient, frame, handshake
from .wire_server import WireServer, request_bytes, respond


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Accept, and send back what comes."""
    assert await receive() == {"type": "websocket.connect"}
    await send({"type": "websocket.accept"})
    while (event := await receive())["type"] == "websocket.receive":
        await send(event | {"type": "websocket.send"})


async def plain(scope: Any, receive: Any, send: Any) -> None:
    await respond(send, scope["type"].encode())


def test_a_handshake(delivered: WireServer) -> None:
    scopes: list[dict[str, Any]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scopes.append(scope)
        await echo(scope, receive, send)

    delivered.set_app(app)
    with delivered.connect() as raw:
        client = WebSocketClient(raw)
        head = client.open(
            b"Origin: https://example.org", b"Sec-WebSocket-Protocol: a, b", b"Sec-WebSocket-Protocol: c"
        )
        assert head.field(b"sec-websocket-protocol") is None
        assert head.field(b"sec-websocket-extensions") is None
        assert head.field(b"server") == b"atlas"
        client.send(TEXT, "hello")
        assert client.receive() == (TEXT, b"hello")
        client.close()
    (scope,) = scopes
    names = {"type", "asgi", "http_version", "scheme", "path", "raw_path", "query_string", "root_path", "headers"}
    assert set(scope) == names | {"client", "server", "subprotocols", "extensions"}
    assert (scope["type"], scope["scheme"], scope["http_version"]) == ("websocket", "ws", "1.1")
    assert (scope["path"], scope["raw_path"], scope["query_string"]) == ("/chat", b"/chat", b"room=1")
    assert scope["subprotocols"] == ["a", "b", "c"]
    assert scope["extensions"] == {"websocket.http.response": {}}
    assert scope["asgi"] == {"version": "3.0", "spec_version": "2.5"}
    assert (b"origin", b"https://example.org") in scope["headers"]


def test_frames_in_the_packet_of_the_handshake(delivered: WireServer) -> None:
    delivered.set_app(echo)
    with delivered.connect() as raw:
        client = WebSocketClient(raw)
        client.open(more=frame(TEXT, "early") + frame(TEXT, "cut")[:5])
        assert client.receive() == (TEXT, b"early")


@pytest.mark.parametrize("upgrade", [b"websocket", b"WebSocket", b"WEBSOCKET", b"h2c, websocket"])
@pytest.mark.parametrize("connection", [b"upgrade", b"Upgrade", b"keep-alive, UPGRADE"])
def test_names_are_compared_without_case(wire: WireServer, upgrade: bytes, connection: bytes) -> None:
    wire.set_app(echo)
    request = handshake().replace(b"Upgrade: websocket", b"Upgrade: " + upgrade)
    with wire.connect() as raw:
        raw.send(request.replace(b"keep-alive, Upgrade", connection))
        assert WebSocketClient(raw).head().status == 101


@pytest.mark.parametrize("version", [b"", b"Sec-WebSocket-Version: 8\r\n", b"Sec-WebSocket-Version: 13, 8\r\n"])
def test_another_version_is_426(delivered: WireServer, version: bytes) -> None:
    """RFC 6455, section 4.4; RFC 9110, section 15.5.22."""
    delivered.set_app(echo)
    before = delivered.app.calls
    with delivered.connect() as raw:
        raw.send(handshake().replace(b"Sec-WebSocket-Version: 13\r\n", version))
        response = raw.response()
        assert response.status == 426
        assert response.header(b"sec-websocket-version") == b"13"
        assert response.header(b"upgrade") == b"websocket"
        assert response.header(b"connection") == b"upgrade"
        raw.send(handshake())
        assert WebSocketClient(raw).head().status == 101
    assert delivered.app.calls == before + 1


KEY = b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"


@pytest.mark.parametrize(
    "change",
    [
        (KEY, b""),
        (KEY, KEY + KEY),
        (KEY, b"Sec-WebSocket-Key:\r\n"),
        (KEY, b"Sec-WebSocket-Key: AAAA\r\n"),
        (KEY, b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA\r\n"),
        (KEY, b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAAAA\r\n"),
        (KEY, b"Sec-WebSocket-Key: AAAAAAAAAA!AAAAAAAAAAA==\r\n"),
        (KEY, KEY + b"Sec-WebSocket-Extensions: a;=\r\n"),
        (KEY, KEY + b"Content-Length: 1\r\n"),
        (KEY, KEY + b"Transfer-Encoding: chunked\r\n"),
    ],
)
def test_a_wrong_handshake_is_400_and_the_connection_closes(wire: WireServer, change: tuple[bytes, bytes]) -> None:
    wire.set_app(echo)
    before = wire.app.calls
    with wire.connect() as raw:
        raw.send(handshake().replace(*change) + frame(TEXT, "early"))
        response = raw.response()
        assert (response.status, response.closes) == (400, True)
        raw.assert_closed()
    assert wire.app.calls == before


@pytest.mark.parametrize(
    "change",
    [
        (b"Connection: keep-alive, Upgrade", b"Connection: keep-alive"),
        (b"Upgrade: websocket", b"Upgrade: h2c"),
        (b"GET ", b"DELETE "),
    ],
)
def test_what_is_no_handshake_is_an_ordinary_request(wire: WireServer, change: tuple[bytes, bytes]) -> None:
    """RFC 9110, section 7.8: a server may ignore an Upgrade; that of HTTP/1.0 it has to."""
    wire.set_app(plain)
    with wire.connect() as raw:
        raw.send(handshake().replace(*change))
        assert raw.response().body == b"http"


def test_http_10_asks_for_no_websocket(wire: WireServer) -> None:
    wire.set_app(plain)
    with wire.connect() as raw:
        raw.send(handshake().replace(b"HTTP/1.1", b"HTTP/1.0"))
        assert raw.response().body == b"http"


def test_ws_none_serves_no_websockets(own: Any) -> None:
    wire = own(plain, ws="none")
    with wire.connect() as raw:
        raw.send(handshake())
        assert raw.response().body == b"http"


def test_a_handshake_waits_for_its_turn(wire: WireServer) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await (respond(send, b"first") if scope["type"] == "http" else echo(scope, receive, send))

    wire.set_app(app)
    with wire.connect() as raw:
        raw.send(request_bytes() + handshake() + frame(TEXT, "x"))
        assert raw.response().body == b"first"
        client = WebSocketClient(raw)
        assert client.head().status == 101
        assert client.receive() == (TEXT, b"x")


# ------------------------------------------------------------------------------------------------------------- answers


def test_the_subprotocol_and_headers_of_an_accept(wire: WireServer) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"Set-Cookie", b"a=1"), (b"set-cookie", b"b=2")]
        await send({"type": "websocket.accept", "subprotocol": "chat", "headers": headers})
        await receive()

    wire.set_app(app)
    with wire.connect() as raw:
        head = WebSocketClient(raw).open(b"Sec-WebSocket-Protocol: chat")
        assert head.field(b"sec-websocket-protocol") == b"chat"
        assert [value for name, value in head.fields if name.lower() == b"set-cookie"] == [b"a=1", b"b=2"]


@pytest.mark.parametrize(
    ("event", "error"),
    [
        ({"headers": [(b"sec-websocket-protocol", b"x")]}, ValueError),
        ({"headers": [(b"Connection", b"close")]}, ValueError),
        ({"headers": [(b"a b", b"x")]}, ValueError),
        ({"headers": [(b"a", b"x\r\ny: z")]}, ValueError),
        ({"headers": [("a", "b")]}, TypeError),
        ({"subprotocol": "a\r\nb"}, ValueError),
        ({"subprotocol": b"a"}, TypeError),
    ],
)
def test_a_wrong_accept_raises_and_nothing_is_sent(wire: WireServer, event: Any, error: type[Exception]) -> None:
    caught: list[Exception] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            await send({"type": "websocket.accept", **event})
        except Exception as raised:
            caught.append(raised)
        await send({"type": "websocket.accept"})
        await receive()

    wire.set_app(app)
    with wire.connect() as raw:
        WebSocketClient(raw).open()
    assert [type(each) for each in caught] == [error]


def test_a_close_before_the_accept_is_403(wire: WireServer) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.close"})
        assert (await receive())["type"] == "websocket.connect"
        assert await receive() == {"type": "websocket.disconnect", "code": 1006, "reason": ""}

    wire.set_app(app)
    with wire.connect() as raw:
        raw.send(handshake())
        response = raw.response()
        assert (response.status, response.body, response.closes) == (403, b"", True)
        raw.assert_closed()


@pytest.mark.parametrize("pieces", [[b"no"], [b"n", b"o", b""]])
def test_a_denial(wire: WireServer, pieces: list[bytes]) -> None:
    """ASGI extension "WebSocket Denial Response"."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"www-authenticate", b"Basic")]
        await send({"type": "websocket.http.response.start", "status": 401, "headers": headers})
        for piece in pieces[:-1]:
            await send({"type": "websocket.http.response.body", "body": piece, "more_body": True})
        await send({"type": "websocket.http.response.body", "body": pieces[-1]})

    wire.set_app(app)
    with wire.connect() as raw:
        raw.send(handshake())
        response = raw.response()
        assert (response.status, response.body, response.closes) == (401, b"no", True)
        assert response.header(b"www-authenticate") == b"Basic"
        raw.assert_closed()


START = {"type": "websocket.http.response.start", "status": 404, "headers": []}


@pytest.mark.parametrize(
    "events",
    [
        [{"type": "websocket.send", "text": "x"}],
        [{"type": "websocket.http.response.body"}],
        [START, START],
        [START, {"type": "websocket.accept"}],
        [START, {"type": "websocket.close"}],
        [{"type": "http.response.start", "status": 200}],
        [{"type": "websocket.connect"}],
        [{"no": "type"}],
    ],
)
def test_an_event_out_of_turn_raises(wire: WireServer, events: list[dict[str, Any]]) -> None:
    caught: list[Exception] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for event in events[:-1]:
            await send(event)
        try:
            await send(events[-1])
        except RuntimeError as error:
            caught.append(error)
            raise

    wire.set_app(app)
    with wire.connect() as raw:
        raw.send(handshake())
        assert raw.response().status == 500
    assert len(caught) == 1


@pytest.mark.parametrize("raises", [False, True])
def test_an_application_without_an_answer_is_500(wire: WireServer, raises: bool, records: list[Any]) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if raises:
            raise ValueError("on purpose")

    wire.set_app(app)
    with wire.connect() as raw:
        raw.send(handshake())
        assert raw.response().status == 500
    message = "exception in the application" if raises else "ended without an answer to the handshake"
    assert [message in record.getMessage() for record in records if record.levelname == "ERROR"] == [True]


def test_a_client_that_leaves_before_the_answer(wire: WireServer) -> None:
    begun: Future[None] = Future()
    ended: Future[Any] = Future()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        begun.set_result(None)
        event = await receive()
        try:
            await send({"type": "websocket.accept"})
        except OSError as error:
            ended.set_result((event, error))

    wire.set_app(app)
    with wire.connect() as raw:
        raw.send(handshake())
        begun.result(TIMEOUT)
        raw.reset()
        event, error = ended.result(TIMEOUT)
    assert event == {"type": "websocket.disconnect", "code": 1006, "reason": ""}
    assert isinstance(error, ClientDisconnected)


def test_a_limit_of_concurrency_is_503(own: Any) -> None:
    wire = own(echo, limit_concurrency=1)
    with wire.connect() as raw, wire.connect() as other:
        client = WebSocketClient(raw)
        client.open()
        other.send(handshake())
        assert other.response().status == 503
        client.send(CLOSE)
        assert client.closed() == (1005, "")
