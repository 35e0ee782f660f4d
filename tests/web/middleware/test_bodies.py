from collections.abc import Callable
from typing import Any

import pytest

from atlas import FileResponse, JSONResponse, RedirectResponse, Response, StreamingResponse
from atlas.web.middleware.bodies import drop_body, in_pieces, whole_body
from atlas.web.response import DelegatedResponse


class Own(Response):
    """One that sends itself in a way of its own."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        return None


async def app(scope: Any, receive: Any, send: Any) -> None:
    return None


@pytest.mark.parametrize(
    ("make", "whole", "pieces"),
    [
        (lambda: Response("a"), b"a", False),
        (lambda: JSONResponse([1]), b"[1]", False),
        (lambda: RedirectResponse("/"), b"", False),
        (lambda: StreamingResponse(["a"]), None, True),
        (lambda: FileResponse(__file__), None, False),
        (lambda: DelegatedResponse(app), None, False),
        (lambda: Own("a"), None, False),
    ],
)
def test_the_kinds_of_bodies(make: Callable[[], Response], whole: bytes | None, pieces: bool) -> None:
    response = make()
    assert (whole_body(response), in_pieces(response)) == (whole, pieces)


def test_without_its_body() -> None:
    fields = {"content-length": "3", "content-encoding": "x", "content-language": "x", "content-location": "/a"}
    response = Response("abc", headers={**fields, "etag": '"a"', "content-security-policy": "x"})
    response.headers.add("content-security-policy", "script-src 'nonce-abc'")
    drop_body(response, 304)
    assert (response.status_code, response.body) == (304, b"")
    assert [name for name, _ in response.raw_headers] == [b"content-location", b"etag", b"content-security-policy"]
