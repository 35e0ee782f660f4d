"""Every place beside the middleware that takes a function: both kinds of function, in all run modes, five servers.

Exception handlers by status and by class, context processors, template globals, startup, shutdown, lifespan, background
work, mounted applications, generators of streams and stores of sessions.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from atlas import Application, HTTPException, Mount, Route, Sessions, StreamingResponse, await_, render
from tests.web.places import FORM, KINDS, RUNS, SECRET, TRACE, TRANSPORTS, later, route, seen_async, seen_sync, served
from tests.web.transports.servers import LoopThread


class Oops(Exception):
    pass


@dataclass
class Site:
    """An application whose functions are of one kind; ``log`` has what the places outside of requests did."""

    kind: str
    folder: Path
    log: list[str] = field(default_factory=list)
    done: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def application(self) -> Application:
        (self.folder / "page.html").write_text("{{ processed }} {{ value() }}")
        handler, processor, value, job, started, stopped, life, mounted = self.functions()
        routes = [*self.routes(job), Mount("/mounted", mounted)]
        app = self.app = Application(
            routes,
            exception_handlers={418: handler, Oops: handler},
            lifespan=life,
            config={"template_dirs": [str(self.folder)]},
        )
        app.templates.context_processor(processor)
        app.templates.globals["value"] = value
        app.on_startup(started)
        app.on_shutdown(stopped)
        return app

    def note(self, name: str) -> None:
        self.log.append(name)

    def finish(self) -> None:
        self.note("job")
        self.done.release()

    def functions(self) -> tuple[Any, ...]:
        return self.sync_functions() if self.kind == "def" else self.async_functions()

    def sync_functions(self) -> tuple[Any, ...]:
        def handler(request: Any, error: Exception) -> Any:
            seen_sync(request, "handler")
            return " ".join(TRACE.get()), 418

        def processor(request: Any) -> dict[str, Any]:
            seen_sync(request, "processor")
            return {"processed": "processed"}

        @contextmanager
        def life(app: Application) -> Iterator[dict[str, Any]]:
            self.note(await_(later("open")))
            yield {"pool": "open"}
            self.note(await_(later("close")))

        def mounted(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http":
                await_(later())
                assert receive()["body"] == b""
                send({"type": "http.response.start", "status": 200, "headers": []})
                send({"type": "http.response.body", "body": b"mounted"})

        return (
            handler,
            processor,
            lambda: await_(later("global")),
            self.finish_sync,
            lambda app: self.note(await_(later("startup"))),
            lambda: self.note(await_(later("shutdown"))),
            life,
            mounted,
        )

    def finish_sync(self) -> None:
        await_(later())
        self.finish()

    def async_functions(self) -> tuple[Any, ...]:
        async def handler(request: Any, error: Exception) -> Any:
            await seen_async(request, "handler")
            return " ".join(TRACE.get()), 418

        async def processor(request: Any) -> dict[str, Any]:
            await seen_async(request, "processor")
            return {"processed": "processed"}

        async def value() -> str:
            await later()
            return "global"

        async def job() -> None:
            await later()
            self.finish()

        async def started(app: Application) -> None:
            self.note(await later("startup"))

        async def stopped() -> None:
            self.note(await later("shutdown"))

        @asynccontextmanager
        async def life(app: Application) -> AsyncIterator[dict[str, Any]]:
            self.note(await later("open"))
            yield {"pool": "open"}
            self.note(await later("close"))

        async def mounted(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http":
                await later()
                assert (await receive())["body"] == b""
                await send({"type": "http.response.start", "status": 200, "headers": []})
                await send({"type": "http.response.body", "body": b"mounted"})

        return handler, processor, value, job, started, stopped, life, mounted

    def routes(self, job: Callable[[], Any]) -> Iterator[Route]:
        def both(function: Callable[[Any], Any]) -> tuple[Any, Any]:
            async def awaited(request: Any) -> Any:
                return function(request)

            return function, awaited

        def status(request: Any) -> None:
            raise HTTPException(418)

        def error(request: Any) -> None:
            raise Oops

        def background(request: Any) -> str:
            self.app.background(job)
            return "background"

        def count(request: Any) -> str:
            request.session["count"] = request.session.get("count", 0) + 1
            return str(request.session["count"])

        sessions = [Sessions(SECRET, SyncStore() if self.kind == "def" else AsyncStore())]  # type: ignore[arg-type]
        for run in RUNS:
            yield route(f"/status/{run}", run, *both(status), name=f"status {run}")
            yield route(f"/error/{run}", run, *both(error), name=f"error {run}")
            yield route(
                f"/render/{run}", run, *both(lambda request: render(request, "page.html")), name=f"render {run}"
            )
            yield route(
                f"/page/{run}",
                run,
                *both(lambda request: render(request, "page.html", stream=True)),
                name=f"page {run}",
            )
            yield route(
                f"/stream/{run}", run, *both(lambda request: StreamingResponse(self.pieces())), name=f"st {run}"
            )
            yield route(f"/background/{run}", run, *both(background), name=f"background {run}")
            yield route(f"/session/{run}", run, *both(count), name=f"session {run}", middleware=sessions)

    def pieces(self) -> Any:
        def now() -> Iterator[str]:
            yield "one "
            yield await_(later("two"))

        async def waiting() -> AsyncIterator[str]:
            yield "one "
            yield await later("two")

        return now() if self.kind == "def" else waiting()


class SyncStore:
    """A store of sessions whose methods are ``def``, and wait."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    def get(self, name: str) -> bytes | None:
        await_(later())
        return self.kept.get(name)

    def set(self, name: str, data: bytes, seconds: float) -> None:
        await_(later())
        self.kept[name] = data

    def delete(self, name: str) -> None:
        await_(later())
        self.kept.pop(name, None)

    def touch(self, name: str, seconds: float) -> None:
        await_(later())


class AsyncStore(SyncStore):
    async def get(self, name: str) -> bytes | None:  # type: ignore[override]
        await later()
        return self.kept.get(name)

    async def set(self, name: str, data: bytes, seconds: float) -> None:  # type: ignore[override]
        await later()
        self.kept[name] = data

    async def delete(self, name: str) -> None:  # type: ignore[override]
        await later()

    async def touch(self, name: str, seconds: float) -> None:  # type: ignore[override]
        await later()


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_function_of_either_kind(transport: str, loop_thread: LoopThread, kind: str, tmp_path: Path) -> None:
    site = Site(kind, tmp_path)
    with served(transport, site.application(), loop_thread) as ask:
        for run in RUNS:
            for method, body in (("GET", b""), ("POST", b"a=1")):
                headers = FORM if body else {}
                for path in ("status", "error"):
                    assert ask(method, f"/{path}/{run}", body, headers)[::2] == (418, b"handler"), (path, run)
                for path in ("render", "page"):
                    assert ask(method, f"/{path}/{run}", body, headers)[::2] == (200, b"processed global"), (path, run)
            assert ask("GET", f"/stream/{run}")[::2] == (200, b"one two"), run
            assert ask("GET", f"/background/{run}")[::2] == (200, b"background"), run
            assert site.done.acquire(timeout=5)
            _, head, data = ask("GET", f"/session/{run}")
            assert data == b"1"
            again = ask("GET", f"/session/{run}", headers={"cookie": head["set-cookie"].partition(";")[0]})
            assert again[2] == b"2", run
        assert ask("GET", "/mounted/x")[::2] == (200, b"mounted")
    assert site.log == ["open", "startup", *["job"] * len(RUNS), "shutdown", "close"]
