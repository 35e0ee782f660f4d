import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from atlas import FileResponse, JSONResponse, RedirectResponse, Response, StreamingResponse
from atlas.web.asgi import DelegatedResponse, start_application
from atlas.web.responses.bodies import drop_body, is_streamed, length_of, passes_through, whole_body
from atlas.web.responses.events import EventSourceResponse


class Own(Response):
    """A response with its own ``__call__``."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        return None


class OwnStream(StreamingResponse):
    """A stream with its own ``__call__``."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        return None


async def app(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"Content-Length", b"7")]})


def asgi_response() -> Response:
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
        (asgi_response, None, False, True),
        (lambda: DelegatedResponse(app), None, False, False),
        (lambda: Own("a"), None, False, False),
        (lambda: OwnStream(["a"]), None, False, False),
    ],
)
def test_the_kinds_of_bodies(make: Callable[[], Response], whole: bytes | None, pieces: bool, passes: bool) -> None:
    response = make()
    assert (whole_body(response), is_streamed(response), passes_through(response)) == (whole, pieces, passes)


def test_the_size_of_a_body() -> None:
    assert length_of(FileResponse(__file__)) == Path(__file__).stat().st_size
    assert length_of(asgi_response()) == 7
    assert length_of(StreamingResponse(["a"])) is None
    assert length_of(StreamingResponse(["a"], headers={"content-length": "\xb2"})) is None


def test_dropping_the_body() -> None:
    fields = {"content-length": "3", "content-encoding": "x", "content-language": "x", "content-location": "/a"}
    response = Response("abc", headers={**fields, "etag": '"a"', "content-security-policy": "x"})
    response.headers.add("content-security-policy", "script-src 'nonce-abc'")
    drop_body(response, 304)
    assert (response.status_code, response.body) == (304, b"")
    assert [name for name, _ in response.raw_headers] == [b"content-location", b"etag", b"content-security-policy"]
