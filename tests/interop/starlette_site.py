"""The site of the interop tests in Starlette."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import (
    FileResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Route
from starlette.templating import Jinja2Templates

PAGES = Path(__file__).parent / "pages"
templates = Jinja2Templates(PAGES)


async def page(request: Request) -> Response:
    return templates.TemplateResponse(request, "page.html", {"title": "Starlette & friends", "items": range(3)})


async def form(request: Request) -> Response:
    if request.method == "GET":
        return templates.TemplateResponse(request, "form.html", {"token": ""})
    name = parse_qs((await request.body()).decode())["name"][0]
    return RedirectResponse(f"/hello?name={name}", status_code=303)


async def hello(request: Request) -> Response:
    return PlainTextResponse(f"Hello {request.query_params['name']}")


async def json_(request: Request) -> Response:
    return JSONResponse({"got": await request.json(), "agent": "user-agent" in request.headers})


async def stream(request: Request) -> Response:
    async def pieces() -> AsyncIterator[str]:
        for number in range(50):
            yield f"line {number}\n"
            await asyncio.sleep(0)

    return StreamingResponse(pieces(), media_type="text/plain")


async def upload(request: Request) -> Response:
    digest, size = hashlib.sha256(), 0
    async for piece in request.stream():
        digest.update(piece)
        size += len(piece)
    return JSONResponse({"size": size, "sha256": digest.hexdigest()})


def download(path: Path) -> Any:
    async def endpoint(request: Request) -> Response:
        return FileResponse(path, filename="data.bin")

    return endpoint


async def background(request: Request) -> Response:
    def note() -> None:
        request.app.state.noted.set_result("after the response")

    return PlainTextResponse("soon", background=BackgroundTask(note))


async def state(request: Request) -> Response:
    return JSONResponse({"pool": request.state.pool})


@asynccontextmanager
async def lifespan(app: Any) -> AsyncIterator[dict[str, Any]]:
    yield {"pool": "from the lifespan"}


def make(file: Path, noted: Any) -> Starlette:
    """The site; *file* is what ``/download`` sends, *noted* the future that the background task resolves."""
    app = Starlette(
        lifespan=lifespan,
        routes=[
            Route("/", page),
            Route("/form", form, methods=["GET", "POST"]),
            Route("/hello", hello),
            Route("/json", json_, methods=["POST"]),
            Route("/stream", stream),
            Route("/upload", upload, methods=["POST"]),
            Route("/download", download(file)),
            Route("/background", background),
            Route("/state", state),
        ],
    )
    app.state.noted = noted
    return app
