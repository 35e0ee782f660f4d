from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import httpx
import pytest

from atlas import Application, Middleware, Response, Route, StartupError
from atlas.web.mounts import Host, Include, Mount
from atlas.web.routing.router import NoMatch, Router
from atlas.web.websockets.route import WebSocketRoute

Ask = Callable[..., httpx.Response]
Drive = Callable[..., list[dict[str, Any]]]


def show(request: Any, *values: Any) -> Any:
    return {"values": values, "path": request.path_params}


class Mark:
    def __init__(self, name: str) -> None:
        self.name = name

    def after(self, request: Any, response: Response) -> None:
        response.headers["x-marks"] = response.headers.get("x-marks", "") + self.name


async def inner(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        await receive()
        scope["state"]["pool"] = "open"
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
    elif scope["type"] == "websocket":
        await send({"type": "websocket.close", "reason": scope["root_path"]})
    else:
        body = (await receive())["body"].decode()
        text = f"{scope['method']} {scope['root_path']} {scope['path']} {body}".strip()
        await Response(text.encode())(scope, receive, send)


def test_includes_are_flattened(ask: Ask) -> None:
    inner = Include("/{year:int}", [Route("/{name}", show, name="day", middleware=[Mark("c")])], name="year")
    app = Application(
        [Include("/users/{id:int}/", [inner, Route("", show, name="user")], name="users", middleware=[Mark("b")])],
        middleware=[Mark("a")],
    )
    response = ask(app, "GET", "/users/7/2026/x")
    assert response.json() == {"values": [7, 2026, "x"], "path": {"id": 7, "year": 2026, "name": "x"}}
    assert response.headers["x-marks"] == "cba"
    assert ask(app, "GET", "/users/7").headers["x-marks"] == "ba"
    assert app.url_for("users:year:day", id=7, year=2026, name="x") == "/users/7/2026/x"
    assert [(route.path, route.name) for route in app.iter_routes()] == [
        ("/users/{id:int}/{year:int}/{name}", "users:year:day"),
        ("/users/{id:int}", "users:user"),
    ]


def test_one_list_of_routes_may_be_included_twice() -> None:
    routes = [Route("/x", lambda request: None, name="x")]
    router = Router([Include("/a", routes, name="a"), Include("/b", routes, name="b")])
    assert [router.url_for(name, {}) for name in ("a:x", "b:x")] == ["/a/x", "/b/x"]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Include("users", []), "include 'users': a prefix starts with '/'"),
        (lambda: Include("", [], middleware=[5]), "the middleware is 5"),
        (lambda: Host("a b", []), "host 'a b': expected a name without port"),
        (lambda: Host("a.test:80", []), "expected a name without port"),
        (lambda: Mount("/a", 5), "mount '/a': expected an ASGI application, got 5"),  # type: ignore[arg-type]
        (lambda: Mount("a", inner), "route 'a': a path starts with '/'"),
        (lambda: Router([Include("/{a}", [Route("/{a}", show)])]), "two parameters have the same name"),
    ],
)
def test_invalid_arguments_stop_the_start(make: Any, message: str) -> None:
    with pytest.raises(StartupError, match=rf"test_mounts.py:\d+: .*{message}"):
        make()


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("api.test", "api"),
        ("API.test:8000", "api"),
        ("a.example.test", "wild"),
        ("b.a.example.test", "wild"),
        ("example.test", "any"),
        ("other.test", "any"),
        ("", "any"),
    ],
)
def test_hosts(host: str, name: str) -> None:
    router = Router(
        [
            Route("/", show, name="any"),
            Route("/shared", show, name="shared"),
            Host("api.test", [Route("/", show, name="api"), Include("/v1", [Route("/x", show, name="x")])]),
            Host("*.Example.test", [Route("/", show, name="wild")]),
        ]
    )
    for path, expected in (("/", name), ("/shared", "shared")):
        found = router.match("GET", path.encode(), host=host)
        assert not isinstance(found, NoMatch)
        assert found[0].name == expected
    assert isinstance(router.match("GET", b"/v1/x", host=host), NoMatch) == (name != "api")
    assert [route.host for route in router] == [None, None, "api.test", "api.test", "*.example.test"]


def test_a_host_is_read_from_the_request(ask: Ask) -> None:
    app = Application([Route("/", lambda request: "any"), Host("site.test", [Route("/", lambda request: "site")])])
    assert ask(app, "GET", "/").text == "site"
    assert ask(app, "GET", "/", headers={"host": "other.test"}).text == "any"


def test_the_same_twice_on_one_host_names_both_lines() -> None:
    with pytest.raises(StartupError, match=r"GET is answered already by '/' at .*test_mounts.py:\d+"):
        Router([Host("a.test", [Route("/", show, name="a")]), Host("a.test", [Route("/", show, name="b")])])


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/app/", "PURGE /app /app/"),
        ("/app/x//y", "PURGE /app /app/x//y"),
        ("/users/%C3%BC%2F/files/z", "PURGE /users/ü%2F/files /users/ü%2F/files/z"),
        ("/users/a/files/x%2fy", "PURGE /users/a/files /users/a/files/x%2Fy"),
    ],
)
def test_a_mount_gets_what_is_below_it(ask: Ask, path: str, body: str) -> None:
    app = Application(
        [Mount("/app", inner, name="app"), Include("/users/{name}", [Mount("/files", inner, name="files")])],
        middleware=[Mark("a")],
    )
    response = ask(app, "PURGE", path)
    assert (response.status_code, response.text, response.headers["x-marks"]) == (200, body, "a")
    assert app.url_for("app", path="/x/y") == "/app/x/y"
    assert app.url_for("files", name="a b", path="x") == "/users/a%20b/files/x"


class Watch:
    """An ASGI middleware that notes the path."""

    def __init__(self, app: Any, seen: list[str]) -> None:
        self.app, self.seen = app, seen

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.seen.append(scope["path"])
        await self.app(scope, receive, send)


@pytest.mark.parametrize(
    "raw_path",
    [
        "/admin/users",
        "/%61dmin/users",
        "/admin%2fusers",
        "/admin%2Fusers",
        "/%61dmin%2fusers",
        "/admin%252fusers",
        "/admin%5cusers",
        "/admin//users",
        "//admin/users",
        "/open/../admin/users",
        "/open/%2e%2e/admin/users",
        "/open/..%2fadmin%2fusers",
        "/admin/%2e/users",
        "/admin;/users",
    ],
)
def test_routes_guards_and_mounts_see_one_path(drive: Drive, raw_path: str) -> None:
    seen: list[str] = []

    def watch(request: Any, call_next: Any) -> Any:
        seen.append(request.path)
        return call_next(request)

    def guard(request: Any, call_next: Any) -> Any:
        response = call_next(request)
        response.headers["x-guarded"] = "yes"
        return response

    app = Application(
        [Include("/admin", [Mount("", inner, name="guarded")], middleware=[guard]), Mount("/", inner, name="rest")],
        middleware=[Middleware(Watch, seen), watch],
    )
    start, body = drive(app, path=unquote(raw_path), raw_path=raw_path.encode())
    path = body["body"].decode().split(" ")[2]
    assert seen == [path, path]
    assert path.startswith("/admin/") == ((b"x-guarded", b"yes") in start["headers"])


def test_the_prefix_alone_gets_its_slash_and_routes_come_first(ask: Ask) -> None:
    app = Application([Mount("/app", inner), Route("/app/own", lambda request: "own"), Mount("/", inner, name="r")])
    assert ask(app, "GET", "/app/own").text == "own"
    assert ask(app, "POST", "/app/own").text == "POST /app /app/own"
    assert ask(app, "GET", "/other").text == "GET  /other"
    alone = ask(Application([Mount("/app", inner)]), "GET", "/app")
    assert (alone.status_code, alone.headers["location"]) == (308, "./app/")


def test_a_mount_under_a_root_path(drive: Drive) -> None:
    app = Application([Mount("/app", inner)])
    asked = [{"type": "http.request", "body": b""}]
    for path in ("/site/app/x", "/app/x"):  # some servers leave the root path out
        sent = drive(app, list(asked), path=path, raw_path=path.encode(), root_path="/site")
        assert sent[1]["body"] == b"GET /site/app /site/app/x"


def test_a_body_that_middleware_has_read_comes_again(ask: Ask) -> None:
    async def read(request: Any, call_next: Any) -> Any:
        assert await request.body() == b"abc"
        return await call_next(request)

    assert ask(Application([Mount("/", inner)], middleware=[read]), "POST", "/", content=b"abc").text == "POST  / abc"


def test_its_lifespan_runs_inside(call: Drive) -> None:
    app = Application([Mount("/a", inner), Mount("/b", inner)])
    seen = []
    app.on_startup(lambda: seen.append("start"))
    state: dict[str, Any] = {}
    sent = call(app, [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}], type="lifespan", state=state)
    assert [event["type"] for event in sent] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert (seen, state) == (["start"], {"pool": "open"})


def test_a_mount_that_cannot_start_stops_the_start(call: Drive) -> None:
    async def broken(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no database"})

    sent = call(Application([Mount("/a", inner), Mount("/b", broken)]), [{"type": "lifespan.startup"}], type="lifespan")
    assert sent == [{"type": "lifespan.startup.failed", "message": "no database"}]


def test_websockets_reach_a_mount(call: Drive) -> None:
    app = Application([Mount("/app", inner), WebSocketRoute("/app/own", show)])
    assert call(app, type="websocket", path="/app/x") == [{"type": "websocket.close", "reason": "/app"}]
