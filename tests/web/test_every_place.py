"""Every place that takes a function: its own kind decides how it is called, never its neighbours or the controller.

A ``def`` function gets a ``Request`` and waits by ``await_``; an ``async def`` gets an ``AsyncRequest`` and awaits.
Both read the form, set a context variable that is seen by what runs later, and stand before and behind each middleware,
around controllers of both kinds in all run modes, behind five servers. A server is started once for all cases.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import product
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
    HTTPSRedirect,
    Include,
    Middleware,
    RateLimit,
    Request,
    RequestID,
    Response,
    Route,
    SecurityHeaders,
    Sessions,
    TextResponse,
    Timeout,
    TrustedHosts,
)
from atlas._speedups.calls.handlers import RunMode
from atlas.sqlalchemy import Database
from tests.web.places import FORM, KINDS, RUNS, SECRET, TRACE, TRANSPORTS, Ask, route, seen_async, seen_sync, served
from tests.web.transports.servers import LoopThread


def answer(request: Any, form: Any) -> dict[str, Any]:
    token = request.state.get("csrf_token")
    return {"trace": TRACE.get(), "form": None if form is None else form["a"], "token": token and str(token)}


def page(request: Any) -> Any:
    assert type(request) is Request
    return answer(request, request.form() if request.method == "POST" else None)


async def page_later(request: Any) -> Any:
    assert type(request) is AsyncRequest
    return answer(request, await request.form() if request.method == "POST" else None)


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


@pytest.mark.parametrize(
    "inner", [[], [CSRF(SECRET)], [Middleware(Pass)], [Timeout(30)]], ids=["", "CSRF", "ASGI", "Timeout"]
)
@pytest.mark.parametrize("kind", KINDS)
def test_a_hook_has_the_session_of_the_database(
    transport: str, loop_thread: LoopThread, kind: str, inner: list[Any]
) -> None:
    database = Database("sqlite+aiosqlite://")

    class CurrentUser:
        def before(self, request: Any) -> None:
            request.user = database.session.scalar(text("SELECT 'user'"))

    class AsyncCurrentUser:
        async def before(self, request: Any) -> None:
            request.user = await database.async_session.scalar(text("SELECT 'user'"))

    def show(request: Any) -> TextResponse:
        return TextResponse(str(request.user))

    async def show_later(request: Any) -> TextResponse:
        return show(request)

    user = CurrentUser() if kind == "def" else AsyncCurrentUser()
    routes = [route(f"/{run}", run, show, show_later, name=run) for run in RUNS]
    app = Application([Include("", routes)], middleware=[database, user, *inner])
    with served(transport, app, loop_thread) as ask:
        for run in RUNS:
            assert ask("GET", f"/{run}")[::2] == (200, b"user"), run


def test_a_chain_of_hooks_that_never_wait_stays_inline() -> None:
    quick = [CORS(["*"]), RequestID(), SecurityHeaders(), TrustedHosts(["*"]), ConditionalGet()]
    app = Application([Route("/", page, run="inline")], middleware=quick)
    app.prepare()
    (found,) = app.router.routes
    assert app.route_table.get_handler(found, False).run_mode is RunMode.INLINE
    assert app.route_table.get_handler(found, True).run_mode is RunMode.ASYNC
    app.middleware(around)
    app.prepare()
    assert app.route_table.get_handler(found, False).run_mode is RunMode.GREENLET


def test_an_inline_controller_inside_of_asgi_middleware_finds_an_empty_body(
    transport: str, loop_thread: LoopThread
) -> None:
    inline = Route("/", lambda request: request.body() or b"empty", ["POST"], run="inline")
    app = Application([inline], middleware=[Middleware(Pass)])
    with served(transport, app, loop_thread) as ask:
        assert ask("POST", "/", headers={"content-length": "0"})[::2] == (200, b"empty")
