from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest

from atlas import (
    Application,
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    ProblemResponse,
    RedirectResponse,
    Response,
    Route,
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


def shout(piece: bytes) -> bytes:
    return piece.upper()


def test_a_body_passes_through_a_wrapper() -> None:
    response = Response("abc", headers={"content-length": "3"})
    response.wrap(shout, lambda: b"!")
    response.wrap(lambda piece: b"<" + piece + b">")
    assert (response.content, response.body) == (b"<ABC!>", b"<ABC!>")
    assert "content-length" not in response.headers


def test_the_content_of_a_response() -> None:
    response = Response("a")
    response.content = "b"  # type: ignore[assignment]
    assert response.content == b"b"
    stream = StreamingResponse([])
    assert not hasattr(stream, "content")
    with pytest.raises(AttributeError, match="cannot be set"):
        stream.content = b""
    assert (Response.streaming, stream.streaming) == (False, True)


def test_methods_that_set_header_fields() -> None:
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


def test_a_class_may_make_its_events_itself(drive: Drive) -> None:
    class Marked(Response):
        def events(self, method: str) -> Any:
            start, body = super().events(method)
            start["headers"].append((b"x-mark", b"1"))
            return start, body

    start, body = drive(Marked("x"))
    assert (b"x-mark", b"1") in start["headers"]
    assert body["body"] == b"x"


def test_a_class_whose_complete_gives_no_response_is_an_unhandled_exception(ask: Any) -> None:
    class Forgetful(Response):
        async def complete(self, request: Any) -> Any:
            self.pending = False

    def forget(request: Any) -> Response:
        response = Forgetful("x")
        response.pending = True
        return response

    async def forget_async(request: Any) -> Response:
        return forget(request)

    for controller in (forget, forget_async):
        response = ask(Application([Route("/", controller)]), "GET", "/")
        assert (response.status_code, response.json()["title"]) == (500, "Internal Server Error")
