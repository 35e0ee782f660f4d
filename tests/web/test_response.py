import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest

from atlas import (
    ClientDisconnected,
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    ProblemResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
    TextResponse,
    json,
    redirect,
)
from atlas.web.asgi import DelegatedResponse

Drive = Callable[..., list[dict[str, Any]]]


def test_head_and_body(drive: Drive) -> None:
    start, body = drive(Response("ü", 201, {"X-A": "b"}))
    assert start == {
        "type": "http.response.start",
        "status": 201,
        "headers": [(b"content-type", b"text/html; charset=utf-8"), (b"x-a", b"b"), (b"content-length", b"2")],
    }
    assert body == {"type": "http.response.body", "body": "ü".encode()}


def test_a_response_can_be_sent_twice(drive: Drive) -> None:
    response = Response("x")
    assert drive(response) == drive(response)


def test_head_gets_the_length_and_no_body(drive: Drive) -> None:
    start, body = drive(Response("four"), method="HEAD")
    assert (b"content-length", b"4") in start["headers"]
    assert body["body"] == b""


@pytest.mark.parametrize("status", [204, 304])
def test_a_status_without_a_body(drive: Drive, status: int) -> None:
    start, body = drive(Response(b"ignored", status))
    assert body["body"] == b""
    assert b"content-length" not in dict(start["headers"])


def test_a_given_length_stays(drive: Drive) -> None:
    start, _ = drive(Response(b"", headers={"content-length": "10"}), method="HEAD")
    assert [pair for pair in start["headers"] if pair[0] == b"content-length"] == [(b"content-length", b"10")]


def test_content_types() -> None:
    assert HTMLResponse("").headers["content-type"] == "text/html; charset=utf-8"
    assert TextResponse("").headers["content-type"] == "text/plain; charset=utf-8"
    assert PlainTextResponse is TextResponse
    assert Response(b"", content_type="image/png").headers["content-type"] == "image/png"
    assert "content-type" not in Response(b"", content_type="").headers
    assert Response(b"", headers={"Content-Type": "a/b"}).raw_headers == [(b"content-type", b"a/b")]


@pytest.mark.parametrize("content", [None, 5, ["x"]])
def test_other_content_is_refused(content: Any) -> None:
    with pytest.raises(TypeError, match="expected bytes or str"):
        Response(content)


def test_no_header_can_add_a_line() -> None:
    with pytest.raises(ValueError, match="x-a"):
        Response(headers={"x-a": "b\r\nx-c: d"})
    with pytest.raises(ValueError, match="content-type"):
        Response(content_type="a/b\r\n")


@dataclass
class Lake:
    name: str
    seen: date


def test_json_of_many_things() -> None:
    assert JSONResponse(Lake("Como", date(2026, 1, 2))).body == b'{"name":"Como","seen":"2026-01-02"}'
    assert json([1], 201).status_code == 201
    with pytest.raises(TypeError):
        JSONResponse(object())


def test_a_problem() -> None:
    response = ProblemResponse(409, "Conflict", "it is there", headers={"x-a": "b"}, name="Como")
    assert response.status_code == 409
    assert response.headers["x-a"] == "b"
    assert response.body == b'{"title":"Conflict","status":409,"detail":"it is there","name":"Como"}'


@pytest.mark.parametrize(
    ("url", "location"),
    [
        ("/a?b=c#d", "/a?b=c#d"),
        ("/a b/ü", "/a%20b/%C3%BC"),
        ("/already%20so", "/already%20so"),
        ("https://example.test/", "https://example.test/"),
    ],
)
def test_redirects(url: str, location: str) -> None:
    response = redirect(url)
    assert (response.status_code, response.headers["location"]) == (302, location)
    assert "content-type" not in response.headers


def test_a_redirect_cannot_add_a_line() -> None:
    with pytest.raises(ValueError, match="no control characters"):
        RedirectResponse("/a\r\nset-cookie: b=c")


def test_cookies() -> None:
    response = Response()
    response.set_cookie("a", "1", secure=True)
    response.delete_cookie("b")
    assert response.headers.get_all("set-cookie") == [
        "a=1; Path=/; Secure; HttpOnly; SameSite=Lax",
        "b=; Path=/; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; SameSite=Lax",
    ]


class Pieces:
    """An iterator of pieces that knows whether it was closed."""

    def __init__(self, count: int) -> None:
        self.count, self.closed = count, False

    def plain(self) -> Iterator[str]:
        try:
            for number in range(self.count):
                yield str(number)
        finally:
            self.closed = True

    async def later(self) -> AsyncIterator[bytes]:
        try:
            for number in range(self.count):
                yield b"%d" % number
        finally:
            self.closed = True


@pytest.mark.parametrize("colour", ["plain", "later"])
def test_pieces_are_sent_as_they_come(drive: Drive, colour: str) -> None:
    pieces = Pieces(200)
    start, *bodies = drive(StreamingResponse(getattr(pieces, colour)(), content_type="text/plain"))
    assert start["headers"] == [(b"content-type", b"text/plain")]
    assert [body["body"] for body in bodies] == [b"%d" % number for number in range(200)] + [b""]
    assert [body.get("more_body", False) for body in bodies] == [True] * 200 + [False]
    assert pieces.closed


@pytest.mark.parametrize("make", [lambda: ["a", b"b"], lambda: ("a", "b"), lambda: iter(["a", "b"])])
def test_any_iterable_will_do(drive: Drive, make: Callable[[], Any]) -> None:
    _, *bodies = drive(StreamingResponse(make()))
    assert b"".join(body["body"] for body in bodies) == b"ab"


def test_a_head_of_a_stream_asks_for_no_piece(drive: Drive) -> None:
    asked = []

    def pieces() -> Iterator[str]:
        asked.append(1)
        yield "x"

    assert [event.get("body") for event in drive(StreamingResponse(pieces()), method="HEAD")] == [None, b""]
    assert not asked


async def _send_wait_for_disconnect(response: StreamingResponse) -> None:
    sent = 0

    async def send(event: Any) -> None:
        nonlocal sent
        sent += 1
        if sent == 3:
            raise OSError("the client is gone")

    async def receive() -> Any:
        await asyncio.Event().wait()

    await response({"type": "http", "method": "GET"}, receive, send)


@pytest.mark.parametrize("colour", ["plain", "later"])
def test_a_generator_is_closed_when_the_client_goes(colour: str) -> None:
    pieces = Pieces(10)
    generator = getattr(pieces, colour)()
    with pytest.raises(OSError, match="gone"):
        asyncio.run(_send_wait_for_disconnect(StreamingResponse(generator)))
    assert pieces.closed


class LeavingClient:
    """A client of a server that tells by ``receive`` alone that it has left: after so many pieces."""

    def __init__(self, after: int) -> None:
        self.after, self.sent, self.gone = after, 0, asyncio.Event()
        if after == 0:
            self.gone.set()

    async def receive(self) -> Any:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, event: Any) -> None:
        self.sent += bool(event.get("body"))
        if self.sent == self.after:
            self.gone.set()

    async def ask(self, response: StreamingResponse, **scope: Any) -> None:
        whole = {"type": "http", "method": "GET", "asgi": {"spec_version": "2.3"}, **scope}
        with pytest.raises(ClientDisconnected):
            await response(whole, self.receive, self.send)


@pytest.mark.parametrize("scope", [{}, {"method": "POST"}, {"method": "POST", "atlas.body": "read"}])
@pytest.mark.parametrize("colour", ["plain", "later"])
def test_an_endless_stream_ends_when_the_client_leaves(colour: str, scope: dict[str, Any]) -> None:
    pieces = Pieces(10**9)
    content = getattr(pieces, colour)()
    if colour == "later":
        content = with_turns(content)
    asyncio.run(LeavingClient(3).ask(StreamingResponse(content), **scope))
    assert pieces.closed


async def with_turns(pieces: Any) -> AsyncIterator[bytes]:
    try:
        async for piece in pieces:
            yield piece
            await asyncio.sleep(0)
    finally:
        await pieces.aclose()


def test_a_stream_that_waits_ends_when_the_client_leaves() -> None:
    closed = []

    async def silent() -> AsyncIterator[bytes]:
        try:
            await asyncio.Event().wait()
            yield b"never"
        finally:
            closed.append(True)

    asyncio.run(LeavingClient(0).ask(StreamingResponse(silent())))
    assert closed == [True]


@pytest.mark.parametrize("version", ["2.4", "2.5", "3", "2.10"])
def test_who_only_stops_talking_gets_all_of_it_where_send_tells_the_rest(version: str) -> None:
    async def ask() -> int:
        client = LeavingClient(0)
        scope = {"type": "http", "method": "GET", "asgi": {"version": "3.0", "spec_version": version}}
        await StreamingResponse(with_turns(Pieces(5).later()))(scope, client.receive, client.send)
        return client.sent

    assert asyncio.run(ask()) == 5


def test_nobody_watches_while_the_request_body_is_read() -> None:
    """A response that is made of the request as it comes: receive belongs to it alone."""
    scope: dict[str, Any] = {"type": "http", "method": "POST", "atlas.body": "reading"}
    waiting = [b"a", b"b", b"c"]

    async def receive() -> Any:
        return {"type": "http.request", "body": waiting.pop(0), "more_body": bool(waiting)}

    async def echo() -> AsyncIterator[bytes]:
        more = True
        while more:
            event = await receive()
            await asyncio.sleep(0)
            more = event["more_body"]
            yield event["body"]

    sent: list[bytes] = []

    async def send(event: Any) -> None:
        sent.append(event.get("body", b""))

    asyncio.run(StreamingResponse(echo())(scope, receive, send))
    assert sent == [b"", b"a", b"b", b"c", b""]


class Source:
    def __init__(self) -> None:
        self.closed = False

    def __iter__(self) -> Iterator[str]:
        return iter(["a"])

    def close(self) -> None:
        self.closed = True


def test_whatever_can_be_closed_is_closed(drive: Drive) -> None:
    source = Source()
    drive(StreamingResponse(source))
    assert source.closed


def shout(piece: bytes) -> bytes:
    return piece.upper()


def test_a_body_passes_through_a_wrapper() -> None:
    response = Response("abc", headers={"content-length": "3"})
    response.wrap(shout, lambda: b"!")
    response.wrap(lambda piece: b"<" + piece + b">")
    assert (response.content, response.body) == (b"<ABC!>", b"<ABC!>")
    assert "content-length" not in response.headers


@pytest.mark.parametrize("colour", ["plain", "later"])
def test_pieces_pass_through_wrappers(drive: Drive, colour: str) -> None:
    response = StreamingResponse(getattr(Pieces(3), colour)(), headers={"content-length": "3"})
    response.wrap(lambda piece: b"" if piece == b"1" else b"x" + piece, lambda: b"end")
    response.wrap(shout, lambda: b"!")
    start, *bodies = drive(response)
    assert [body["body"] for body in bodies if body["body"]] == [b"X0", b"X2", b"END!"]
    assert b"content-length" not in dict(start["headers"])


def test_the_content_of_a_response() -> None:
    response = Response("a")
    response.content = "b"  # type: ignore[assignment]
    assert response.content == b"b"
    stream = StreamingResponse([])
    assert not hasattr(stream, "content")
    with pytest.raises(AttributeError, match="cannot be set"):
        stream.content = b""
    assert (Response.streaming, stream.streaming) == (False, True)


def test_what_a_response_says_of_itself() -> None:
    response = Response("abc", headers={"vary": "accept"})
    response.vary("Accept", "cookie")
    response.cache(60, public=True)
    assert response.etag("v1", weak=True) == 'W/"v1"'
    assert response.headers["vary"] == "accept, cookie"
    assert response.headers["cache-control"] == "public, max-age=60"
    assert response.headers["etag"] == 'W/"v1"'
    assert response.etag() == Response("abc").etag() != Response("abd").etag()


def test_a_delegated_response_is_the_application(call: Drive) -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "its own"})

    assert call(DelegatedResponse(application)) == [{"type": "its own"}]
