"""Every place that takes a function: its own kind decides how it is called, never its neighbours or the controller.

A ``def`` function gets a ``Request`` and waits by ``await_``; an ``async def`` gets an ``AsyncRequest`` and awaits.
Both read the form, set a context variable that is seen by what runs later, and stand before and behind each middleware,
around controllers of both kinds in all run modes, behind five servers. A server is started once for all cases.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from atlas import (
    CORS,
    CSRF,
    Application,
    AsyncRequest,
    Compress,
    ConditionalGet,
    HTTPException,
    HTTPSRedirect,
    Include,
    Middleware,
    Mount,
    RateLimit,
    Request,
    RequestID,
    Response,
    Route,
    SecurityHeaders,
    Sessions,
    StreamingResponse,
    TestClient,
    TextResponse,
    Timeout,
    TrustedHosts,
    await_,
    render,
)
from atlas.sqlalchemy import Database
from tests.web.transports.servers import SERVERS, Asked, LoopThread

SECRET = "s" * 32
KINDS = ("def", "async def")
RUNS = ("auto", "inline", "greenlet", "thread", "async")
TRANSPORTS = ("in-process", *SERVERS)
TRACE: ContextVar[tuple[str, ...]] = ContextVar("trace", default=())
FORM = {"content-type": "application/x-www-form-urlencoded"}

Ask = Callable[..., tuple[int, dict[str, str], bytes]]


async def later(value: Any = None) -> Any:
    await asyncio.sleep(0)
    return value


def check(request: Any, form: Any) -> None:
    if request.method == "POST":
        assert form["a"] == "1"


def seen_sync(request: Any, name: str) -> None:
    """What a ``def`` function does: it waits, reads the form and sets a context variable."""
    assert type(request) is Request
    await_(later())
    check(request, request.form() if request.method == "POST" else None)
    TRACE.set((*TRACE.get(), name))


async def seen_async(request: Any, name: str) -> None:
    assert type(request) is AsyncRequest
    await later()
    check(request, await request.form() if request.method == "POST" else None)
    TRACE.set((*TRACE.get(), name))


def answer(request: Any, form: Any) -> dict[str, Any]:
    token = request.state.get("csrf_token")
    return {"trace": TRACE.get(), "form": None if form is None else form["a"], "token": token and str(token)}


def page(request: Any) -> Any:
    assert type(request) is Request
    return answer(request, request.form() if request.method == "POST" else None)


async def page_later(request: Any) -> Any:
    assert type(request) is AsyncRequest
    return answer(request, await request.form() if request.method == "POST" else None)


def route(path: str, run: str, sync: Any, later: Any, methods: Any = ("GET", "POST"), **options: Any) -> Route:
    if run == "async":
        return Route(path, later, methods, **options)
    return Route(path, sync, methods, run=run, **options)  # type: ignore[arg-type]


# Middleware.


class Before:
    def before(self, request: Any) -> None:
        seen_sync(request, "before")


class AsyncBefore:
    async def before(self, request: Any) -> None:
        await seen_async(request, "before")


class After:
    def after(self, request: Any, response: Response) -> None:
        seen_sync(request, "after")
        response.headers["x-trace"] = " ".join(TRACE.get())


class AsyncAfter:
    async def after(self, request: Any, response: Response) -> None:
        await seen_async(request, "after")
        response.headers["x-trace"] = " ".join(TRACE.get())


def around(request: Any, call_next: Any) -> Response:
    seen_sync(request, "before")
    response: Response = call_next(request)
    seen_sync(request, "after")
    response.headers["x-trace"] = " ".join(TRACE.get())
    return response


async def around_later(request: Any, call_next: Any) -> Response:
    await seen_async(request, "before")
    response: Response = await call_next(request)
    await seen_async(request, "after")
    response.headers["x-trace"] = " ".join(TRACE.get())
    return response


PLACES: dict[tuple[str, str], Any] = {
    ("before", "def"): Before(),
    ("before", "async def"): AsyncBefore(),
    ("after", "def"): After(),
    ("after", "async def"): AsyncAfter(),
    ("function", "def"): around,
    ("function", "async def"): around_later,
}


class Pass:
    """An ASGI middleware that does nothing."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)


NEIGHBOURS: dict[str, Any] = {
    "CORS": CORS(["*"]),
    "CSRF": CSRF(SECRET),
    "Compress": Compress(minimum=1),
    "ConditionalGet": ConditionalGet(),
    "HTTPSRedirect": HTTPSRedirect(exempt=["/"]),
    "Middleware": Middleware(Pass),
    "RateLimit": RateLimit("1000000/second"),
    "RequestID": RequestID(),
    "SecurityHeaders": SecurityHeaders(),
    "Sessions": Sessions(SECRET),
    "Sessions in memory": Sessions(SECRET, "memory", cookie="other"),
    "Timeout": Timeout(30),
    "TrustedHosts": TrustedHosts(["*"]),
    "none": None,
}
CASES = [
    (f"/{place[0]}/{kind}/{neighbour}/{side}/{run}".replace(" ", "-"), place, neighbour, side, run)
    for place, neighbour, side, run in product(PLACES, NEIGHBOURS, ("outside", "inside"), RUNS)
    for kind in [place[1]]
]


def neighbours() -> Application:
    """An application with a route for each case."""
    routes = []
    for path, place, name, side, run in CASES:
        neighbour = [] if NEIGHBOURS[name] is None else [NEIGHBOURS[name]]
        middleware = [PLACES[place], *neighbour] if side == "outside" else [*neighbour, PLACES[place]]
        routes.append(route(path, run, page, page_later, middleware=middleware, name=path))
    return Application(routes)


# Everything else that takes a function.


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


# How they are asked.


@contextmanager
def served(transport: str, app: Application, thread: LoopThread) -> Iterator[Ask]:
    """Serve an application; what it gives sends a request, on one connection where there is one."""
    if transport == "in-process":
        with TestClient(app, base_url="http://localhost", cookies=None) as client:

            def call(method: str, path: str, body: bytes = b"", headers: Any = None) -> Any:
                client.cookies.clear()
                response = client.request(method, path, content=body or None, headers=headers or {})
                return response.status_code, dict(response.headers), response.content

            yield call
        return
    with socket.create_server(("127.0.0.1", 0)) as listener:
        asked = Asked(app, listener)
        with thread.serving(SERVERS[transport], asked):
            connection = http.client.HTTPConnection(*asked.address, timeout=10)

            def ask(method: str, path: str, body: bytes = b"", headers: Any = None) -> Any:
                connection.request(method, path.replace(" ", "%20"), body or None, headers or {})
                response = connection.getresponse()
                return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()

            yield ask
            connection.close()


@pytest.fixture(scope="module", params=TRANSPORTS)
def transport(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def ask_neighbours(transport: str, loop_thread: LoopThread) -> Iterator[Ask]:
    with served(transport, neighbours(), loop_thread) as ask:
        yield ask


def expected(place: str, *, inside: bool) -> list[str]:
    """What the controller has seen, or what a hook has seen after it."""
    return {
        "before": ["before"],
        "after": [] if inside else ["after"],
        "function": ["before"] + ([] if inside else ["after"]),
    }[place]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("place", ["before", "after", "function"])
def test_middleware(ask_neighbours: Ask, place: str, kind: str) -> None:
    token_path = next(path for path, _, name, _, _ in CASES if name == "CSRF")
    _, head, data = ask_neighbours("GET", token_path)
    cookie, token = head["set-cookie"].partition(";")[0], json.loads(data)["token"]
    wrong = []
    for path, where, *_ in CASES:
        if where != (place, kind):
            continue
        for method, body in (("GET", b""), ("POST", f"a=1&csrf_token={token}".encode())):
            status, head, data = ask_neighbours(method, path, body, {**(FORM if body else {}), "cookie": cookie})
            trace = json.loads(data).get("trace") if status == 200 else None
            form = json.loads(data).get("form") if status == 200 else None
            good = trace == expected(place, inside=True) and form == ("1" if body else None)
            if place != "before":
                good = good and head.get("x-trace", "").split() == expected(place, inside=False)
            if not good:
                wrong.append((method, path, status, head.get("x-trace"), data[:200]))
    assert wrong == []


@pytest.mark.parametrize("kind", KINDS)
def test_everything_else(transport: str, loop_thread: LoopThread, kind: str, tmp_path: Path) -> None:
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


@pytest.mark.parametrize(
    "inner", [[], [CSRF(SECRET)], [Middleware(Pass)], [Timeout(30)]], ids=["", "CSRF", "ASGI", "Timeout"]
)
@pytest.mark.parametrize("kind", KINDS)
def test_a_hook_has_the_session_of_the_database(
    transport: str, loop_thread: LoopThread, kind: str, inner: list[Any]
) -> None:
    database = Database("sqlite+aiosqlite://")

    class Who:
        def before(self, request: Any) -> None:
            request.user = database.session.scalar(text("SELECT 'user'"))

    class AsyncWho:
        async def before(self, request: Any) -> None:
            request.user = await database.async_session.scalar(text("SELECT 'user'"))

    def show(request: Any) -> TextResponse:
        return TextResponse(str(request.user))

    async def show_later(request: Any) -> TextResponse:
        return show(request)

    who = Who() if kind == "def" else AsyncWho()
    routes = [route(f"/{run}", run, show, show_later, name=run) for run in RUNS]
    app = Application([Include("", routes)], middleware=[database, who, *inner])
    with served(transport, app, loop_thread) as ask:
        for run in RUNS:
            assert ask("GET", f"/{run}")[::2] == (200, b"user"), run


def test_a_chain_of_hooks_that_never_wait_stays_inline() -> None:
    from atlas._speedups.calls.handlers import RunMode

    quick = [CORS(["*"]), RequestID(), SecurityHeaders(), TrustedHosts(["*"]), ConditionalGet()]
    app = Application([Route("/", page, run="inline")], middleware=quick)
    app.prepare()
    (found,) = app.router.routes
    assert app.dispatch.handler_of(found, False).run_mode is RunMode.INLINE
    assert app.dispatch.handler_of(found, True).run_mode is RunMode.GREENLET
    app.middleware(around)
    app.prepare()
    assert app.dispatch.handler_of(found, False).run_mode is RunMode.GREENLET


def test_an_inline_controller_inside_of_asgi_middleware_finds_an_empty_body(
    transport: str, loop_thread: LoopThread
) -> None:
    inline = Route("/", lambda request: request.body() or b"empty", ["POST"], run="inline")
    app = Application([inline], middleware=[Middleware(Pass)])
    with served(transport, app, loop_thread) as ask:
        assert ask("POST", "/", headers={"content-length": "0"})[::2] == (200, b"empty")
