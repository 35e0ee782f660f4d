"""The fixture ``benchmark_request``."""

from __future__ import annotations

from typing import Any

import pytest

from atlas import Application, HTTPException, Request, Route, TextResponse, redirect
from atlas.testing.benchmarks import BenchmarkRequest


def repeat(function: Any) -> Any:
    """In the place of pytest-benchmark: five calls."""
    return [function() for _ in range(5)][-1]


def measure(app: Any, *arguments: Any, **options: Any) -> Any:
    measured = BenchmarkRequest(repeat, app)
    try:
        return measured(*arguments, **options)
    finally:
        measured.close()


def test_the_request_is_made_again_and_again_as_it_was_at_first() -> None:
    seen = []

    def create(request: Request) -> TextResponse:
        seen.append((request.method, request.query["q"], request.json(), request.headers["x-a"]))
        return TextResponse("made", status_code=201)

    response = measure(
        Application([Route("/new", create, ["POST"])]),
        "POST", "/new", status_code=201, params={"q": "1"}, json={"a": [1]}, headers={"x-a": "b"},
    )  # fmt: skip
    assert (response.status_code, response.text) == (201, "made")
    assert seen == [("POST", "1", {"a": [1]}, "b")] * 6


def test_another_status_fails_and_a_redirect_is_not_followed() -> None:
    app = Application([Route("/old", lambda request: redirect("/"))])
    for url, status in (("/missing", 404), ("/old", 302)):
        with pytest.raises(AssertionError, match=rf"GET {url}: expected status 200, got {status}"):
            measure(app, "GET", url)
    assert measure(app, "GET", "/old", status_code=302).headers["location"] == "/"


def test_another_status_while_it_is_measured_fails() -> None:
    left = [1]

    def once(request: Request) -> str:
        if not left:
            raise HTTPException(429)
        return str(left.pop())

    with pytest.raises(AssertionError, match="expected status 200, got 429"):
        measure(Application([Route("/", once)]), "GET", "/")


def test_an_exception_of_the_application_is_raised() -> None:
    def broken(request: Request) -> None:
        raise LookupError("no such thing")

    with pytest.raises(LookupError, match="no such thing"):
        measure(Application([Route("/", broken)]), "GET", "/")


def test_a_body_that_can_be_read_only_once_is_refused() -> None:
    app = Application([Route("/", lambda request: "ok", ["POST"])])
    with pytest.raises(TypeError, match="expected a body that can be sent again"):
        measure(app, "POST", "/", content=iter([b"a", b"b"]))


def test_any_asgi_application_with_its_lifespan_and_its_own_state() -> None:
    calls = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await receive()
            scope["state"]["number"] = 7
            await send({"type": "lifespan.startup.complete"})
            await receive()
            calls.append("shutdown")
            await send({"type": "lifespan.shutdown.complete"})
            return
        calls.append(scope["state"].pop("number"))
        assert await receive() == {"type": "http.request", "body": b"", "more_body": False}
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"a", "more_body": True})
        await send({"type": "http.response.body", "body": b"b"})
        assert await receive() == {"type": "http.disconnect"}

    assert measure(app, "GET", "/").text == "ab"
    assert calls == [7] * 6 + ["shutdown"]


def test_an_application_that_waits_for_a_disconnect_beside_its_response() -> None:
    starlette = pytest.importorskip("starlette.responses")
    response = starlette.StreamingResponse(iter(["a", "b"]))
    pieces = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            response.body_iterator = starlette.StreamingResponse(iter(["a", "b"])).body_iterator
            await response(scope, receive, send)
            pieces.append("ab")

    assert measure(app, "GET", "/").text == "ab"
    assert len(pieces) == 6
