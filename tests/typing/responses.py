"""Responses and errors as a type checker sees them. Never run: only checked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import NoReturn, assert_type

from atlas import (
    BadRequest,
    ClientDisconnected,
    Conflict,
    ContentTooLarge,
    EventSourceResponse,
    FileResponse,
    Forbidden,
    Gone,
    HTMLResponse,
    HTTPException,
    JSONResponse,
    MethodNotAllowed,
    MissingValue,
    NotFound,
    PlainTextResponse,
    ProblemResponse,
    RedirectResponse,
    Request,
    Response,
    ServerSentEvent,
    StreamingResponse,
    StreamingTemplate,
    TextResponse,
    TooManyRequests,
    Unauthorized,
    UnprocessableContent,
    UnsupportedMediaType,
    abort,
    json,
    redirect,
    render,
)


async def pieces() -> AsyncIterator[bytes]:
    yield b""


async def events() -> AsyncIterator[ServerSentEvent]:
    yield ServerSentEvent(data={"a": 1}, event="tick", id="1", retry=1000)


def responses(request: Request) -> list[Response]:
    response = Response(b"", 200, {"x-a": "b"}, content_type="text/plain")
    assert_type(response.status_code, int)
    assert_type(response.headers["x-a"], str)
    assert_type(response.content, bytes)
    response.headers["x-a"] = "c"
    response.set_cookie("a", "b", max_age=5, secure=True, samesite="strict")
    response.delete_cookie("a")
    assert_type(response.etag(), str)
    response.cache(60, public=True)
    response.vary("accept", "cookie")
    assert_type(json({"a": 1}), JSONResponse)
    assert_type(redirect("/"), RedirectResponse)
    assert_type(render(request, "home.html", {"a": 1}, status_code=404, headers=None, block="main"), HTMLResponse)
    return [
        response,
        HTMLResponse("<p>"),
        TextResponse("a"),
        PlainTextResponse("a"),
        JSONResponse([1]),
        ProblemResponse(404, "Not Found", "no such lake"),
        RedirectResponse("/", 303),
        StreamingResponse(pieces()),
        StreamingResponse(iter(["a", "b"])),
        EventSourceResponse(events(), ping=None),
        FileResponse(Path("a.png")),
    ]


def stream(request: Request) -> StreamingTemplate:
    return render(request, "home.html", stream=True)


ERRORS: list[type[HTTPException]] = [
    BadRequest,
    Conflict,
    ContentTooLarge,
    Forbidden,
    Gone,
    MethodNotAllowed,
    NotFound,
    TooManyRequests,
    Unauthorized,
    UnprocessableContent,
    UnsupportedMediaType,
]
LEFT: OSError = ClientDisconnected()


def errors() -> None:
    error = NotFound("no such lake", {"x-a": "b"})
    assert_type(error.status_code, int)
    assert_type(error.detail, str | None)
    assert_type(error.headers, dict[str, str])
    missing: BadRequest | KeyError = MissingValue("no field 'name'")
    assert isinstance(missing, KeyError)


def give_up(status: int) -> NoReturn:
    abort(status, "why", {"x-a": "b"})
