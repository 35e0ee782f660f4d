import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from atlas import FileResponse, JSONResponse, RedirectResponse, Response, StreamingResponse
from atlas.web.asgi import DelegatedResponse, start_application
from atlas.web.events import EventSourceResponse
from atlas.web.middleware.bodies import drop_body, in_pieces, length_of, passes_through, whole_body


class Own(Response):
    """One that sends itself in a way of its own."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        return None


class OwnStream(StreamingResponse):
    """The same, and a stream."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        return None


async def app(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"Content-Length", b"7")]})


def foreign() -> Response:
    return asyncio.run(start_application(app, {"type": "http", "method": "GET"}, None))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("make", "whole", "pieces", "passes"),
    [
        (lambda: Response("a"), b"a", False, False),
        (lambda: JSONResponse([1]), b"[1]", False, False),
        (lambda: RedirectResponse("/"), b"", False, False),
        (lambda: StreamingResponse(["a"]), None, True, True),
        (lambda: EventSourceResponse(["a"]), None, True, True),
        (lambda: FileResponse(__file__), None, False, True),
        (foreign, None, False, True),
        (lambda: DelegatedResponse(app), None, False, False),
        (lambda: Own("a"), None, False, False),
        (lambda: OwnStream(["a"]), None, False, False),
    ],
)
def test_the_kinds_of_bodies(make: Callable[[], Response], whole: bytes | None, pieces: bool, passes: bool) -> None:
    response = make()
    assert (whole_body(response), in_pieces(response), passes_through(response)) == (whole, pieces, passes)


def test_how_long_a_body_will_be() -> None:
    assert length_of(FileResponse(__file__)) == Path(__file__).stat().st_size
    assert length_of(foreign()) == 7
    assert length_of(StreamingResponse(["a"])) is None
    assert length_of(StreamingResponse(["a"], headers={"content-length": "\xb2"})) is None


def test_without_its_body() -> None:
    fields = {"content-length": "3", "content-encoding": "x", "content-language": "x", "content-location": "/a"}
    response = Response("abc", headers={**fields, "etag": '"a"', "content-security-policy": "x"})
    response.headers.add("content-security-policy", "script-src 'nonce-abc'")
    drop_body(response, 304)
    assert (response.status_code, response.body) == (304, b"")
    assert [name for name, _ in response.raw_headers] == [b"content-location", b"etag", b"content-security-policy"]
