"""Applications, routes, middleware and settings as a type checker sees them. Never run: only checked."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, assert_type

import atlas
from atlas import (
    CORS,
    CSRF,
    Application,
    AsyncRequest,
    Compress,
    ConditionalGet,
    Config,
    Controller,
    Converter,
    Decompress,
    FileStore,
    FormLimits,
    Host,
    HTTPException,
    HTTPSRedirect,
    Include,
    MemoryStore,
    Middleware,
    Mount,
    NotFound,
    RateLimit,
    Request,
    RequestID,
    Response,
    Route,
    RouteInfo,
    SecurityHeaders,
    Server,
    Sessions,
    Settings,
    StartupError,
    Static,
    Store,
    Templates,
    Timeout,
    TrustedHosts,
    WebSocketRoute,
    await_,
    in_thread,
    register_converter,
    run,
)


def home(request: Request) -> str:
    return "hello"


async def show(request: AsyncRequest, name: str, year: int) -> dict[str, Any]:
    return {"name": name, "year": year}


async def foreign(scope: Any, receive: Any, send: Any) -> None: ...


class Wrapped:
    """Middleware of the pure ASGI kind."""

    def __init__(self, app: Any, option: int) -> None: ...

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None: ...


async def chat(socket: Any) -> None: ...


class Lake(Controller):
    def get(self, request: Request, slug: str) -> str:
        return slug

    async def delete(self, request: AsyncRequest, slug: str) -> None: ...


def timing(request: Request, call_next: Callable[[Request], Response]) -> Response:
    return call_next(request)


async def tracing(request: AsyncRequest, call_next: Callable[[AsyncRequest], Awaitable[Response]]) -> Response:
    return await call_next(request)


def missing(request: Request, error: HTTPException) -> Response:
    return Response(error.detail or "", 404)


@asynccontextmanager
async def lifespan(app: Application) -> AsyncIterator[Mapping[str, Any]]:
    yield {"pool": 1}


store: Store = MemoryStore()
files: Store = FileStore("sessions")

templates = Templates(enable_async=True)
app = Application(
    [
        Route("/", home),
        Route("/users/{name}/{year:int}", show, ["GET", "POST"], name="show", middleware=[timing], limit_body=5),
        Route("/lakes/{slug}", Lake, timeout=None, run="auto"),
        WebSocketRoute("/chat", chat),
        Include("/api", [Route("/", home, name="api")], name="api", middleware=[tracing]),
        Host("admin.{domain}", [Route("/admin", home, name="admin")]),
        Mount("/old", foreign, name="old"),
        Static("/static", "static"),
    ],
    middleware=[
        timing,
        tracing,
        Compress(minimum=100),
        ConditionalGet(),
        Decompress(["gzip"]),
        CORS(["https://a.test"], allow_credentials=True),
        CSRF(),
        HTTPSRedirect(),
        Middleware(Wrapped, option=1),
        RateLimit("10/minute"),
        RequestID(),
        SecurityHeaders(csp=None),
        Sessions("key" * 20, store),
        Timeout(5),
        TrustedHosts(["a.test"]),
    ],
    exception_handlers={404: missing, NotFound: missing},
    lifespan=lifespan,
    config={"debug": True},
    debug=False,
)

assert_type(app.debug, bool)
assert_type(app.config, Config)
assert_type(app.config.limit_body, int)
assert_type(app.url_for("show", name="a", year=1), str)
assert_type(app.iter_routes(), Iterator[RouteInfo])
for route in app.iter_routes():
    assert_type(route.path, str)
    assert_type(route.methods, tuple[str, ...])
    assert_type(route.name, str)
    assert_type(route.run, str)
    assert_type(route.controller, Callable[..., Any])
app.state.pool = 1


# A decorator hands the function back as it was.
@app.get("/a")
def plain(request: Request) -> str:
    return ""


@app.route("/b", methods=["POST"])
async def waiting(request: AsyncRequest, number: int = 0) -> int:
    return number


@app.exception_handler(ValueError)
def wrong(request: Request, error: ValueError) -> tuple[str, int]:
    return str(error), 400


@app.on_startup
async def start() -> None: ...


@app.on_shutdown
def stop(app: Application) -> None: ...


def job(number: int, *, word: str) -> None: ...


def use_what_was_decorated(one: Request, two: AsyncRequest) -> None:
    assert_type(plain(one), str)
    assert_type(wrong(one, ValueError()), tuple[str, int])
    app.post("/c")(plain)
    app.put("/c")(plain)
    app.patch("/c")(plain)
    app.delete("/c")(plain)
    app.background(job, 1, word="x")
    app.background(job, "x", word="x")  # type: ignore[arg-type]


async def number() -> int:
    return 1


def add(one: int, two: int) -> int:
    return one + two


def wait_in_plain_code() -> None:
    assert_type(await_(number()), int)


async def leave_the_loop() -> None:
    assert_type(await in_thread(add, 1, two=2), int)
    await in_thread(add, "1")  # type: ignore[call-arg, arg-type]


register_converter("even", Converter(int, str))
assert_type(FormLimits(), FormLimits)
settings: Settings = Settings(port=0)
assert_type(settings.port, int)
assert_type(Server(app, port=0).started, bool)
assert_type(atlas.__version__, str)


def serve() -> None:
    try:
        assert_type(run(app, Settings(), port=0), None)
    except StartupError as error:
        assert_type(error, StartupError)
    with Server(app, port=0).run_in_thread() as server:
        assert_type(server, Server)
