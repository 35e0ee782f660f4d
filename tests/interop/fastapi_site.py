"""The site of the interop tests in FastAPI."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from fastapi import BackgroundTasks, FastAPI, Request
from fastapi.responses import FileResponse, HTMLResponse, PlainTextResponse, RedirectResponse, StreamingResponse
from fastapi.templating import Jinja2Templates

templates = Jinja2Templates(Path(__file__).parent / "pages")


@asynccontextmanager
async def lifespan(app: Any) -> AsyncIterator[dict[str, Any]]:
    yield {"pool": "from the lifespan"}


def add_pages(app: FastAPI) -> None:
    @app.get("/", response_class=HTMLResponse)
    def page(request: Request) -> Any:
        return templates.TemplateResponse(request, "page.html", {"title": "FastAPI & friends", "items": range(3)})

    @app.get("/form", response_class=HTMLResponse)
    def form(request: Request) -> Any:
        return templates.TemplateResponse(request, "form.html", {"token": ""})

    @app.post("/form")
    async def posted(request: Request) -> RedirectResponse:
        name = parse_qs((await request.body()).decode())["name"][0]
        return RedirectResponse(f"/hello?name={name}", status_code=303)

    @app.get("/hello")
    def hello(name: str) -> PlainTextResponse:
        return PlainTextResponse(f"Hello {name}")


def add_data(app: FastAPI, file: Path, noted: Any) -> None:
    @app.post("/json")
    def json_(request: Request, body: dict[str, Any]) -> dict[str, Any]:
        return {"got": body, "agent": "user-agent" in request.headers}

    @app.get("/stream")
    def stream() -> StreamingResponse:
        def pieces() -> Iterator[str]:  # a sync generator: FastAPI runs it in threads
            for number in range(50):
                yield f"line {number}\n"

        return StreamingResponse(pieces(), media_type="text/plain")

    @app.post("/upload")
    async def upload(request: Request) -> dict[str, Any]:
        body = await request.body()
        return {"size": len(body), "sha256": hashlib.sha256(body).hexdigest()}

    @app.get("/download")
    def download() -> FileResponse:
        return FileResponse(file, filename="data.bin")

    @app.get("/background", response_class=PlainTextResponse)
    def background(tasks: BackgroundTasks) -> str:
        tasks.add_task(noted.set_result, "after the response")
        return "soon"

    @app.get("/state")
    def state(request: Request) -> dict[str, str]:
        return {"pool": request.state.pool}


def make(file: Path, noted: Any) -> FastAPI:
    """The site; *file* is what ``/download`` sends, *noted* the future that the background task resolves."""
    app = FastAPI(lifespan=lifespan)
    add_pages(app)
    add_data(app, file, noted)
    return app
