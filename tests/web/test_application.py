import asyncio
import logging
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin

import httpx
import pytest

from atlas import (
    Application,
    AsyncRequest,
    BadRequest,
    Forbidden,
    HTTPException,
    NotFound,
    Request,
    Response,
    Route,
    StartupError,
    StreamingResponse,
    abort,
)
from atlas.testing import TestClient
from atlas.web.routing import converters

Ask = Callable[..., httpx.Response]
Drive = Callable[..., list[dict[str, Any]]]


def hello(request: Request, name: str) -> Any:
    return {"hello": name, "kind": type(request).__name__}


async def later(request: AsyncRequest, number: int) -> Any:
    await asyncio.sleep(0)
    return {"number": number, "kind": type(request).__name__}


@pytest.fixture
def app() -> Application:
    return Application([Route("/hello/{name}", hello), Route("/later/{number:int}", later, name="later")])


def test_controllers_of_both_kinds(ask: Ask, app: Application) -> None:
    assert ask(app, "GET", "/hello/ü%2Fx").json() == {"hello": "ü/x", "kind": "Request"}
    assert ask(app, "GET", "/later/7").json() == {"number": 7, "kind": "AsyncRequest"}


def test_a_controller_runs_in_the_task_of_its_request() -> None:
    tasks = []

    async def both() -> None:
        app = Application([Route("/", lambda request: tasks.append(asyncio.current_task()))])
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://site.test") as client:
            await client.get("/")
        tasks.append(asyncio.current_task())

    asyncio.run(both())
    assert tasks[0] is tasks[1]


def test_decorators(ask: Ask) -> None:
    app = Application()
    made = [getattr(app, method)("/x") for method in ("get", "post", "put", "patch", "delete")]
    for method, decorate in zip(("GET", "POST", "PUT", "PATCH", "DELETE"), made, strict=True):
        decorate(lambda request, method=method: method)

    @app.route("/y", ["GET", "POST"], name="why")
    def y(request: Request) -> str:
        return request.method

    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        assert ask(app, method, "/x").text == method
    assert ask(app, "POST", "/y").text == "POST"
    assert app.url_for("why") == "/y"
    assert y(Request(app, {"method": "GET"}, None)) == "GET"  # type: ignore[arg-type]
    assert [route.path for route in app.iter_routes()] == ["/x"] * 5 + ["/y"]


def test_head_and_options_come_by_themselves(ask: Ask, app: Application) -> None:
    head = ask(app, "HEAD", "/hello/x")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(ask(app, "GET", "/hello/x").content))
    options = ask(app, "OPTIONS", "/hello/x")
    assert (options.status_code, options.headers["allow"], options.content) == (204, "GET, HEAD, OPTIONS", b"")


def test_another_method_is_405_with_allow(ask: Ask, app: Application) -> None:
    response = ask(app, "POST", "/hello/x", headers={"accept": "text/html"})
    assert (response.status_code, response.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
    assert "Method Not Allowed" in response.text


@pytest.mark.parametrize(
    ("pattern", "path", "location", "end"),
    [
        ("/a/b", "/a/b/", "../b", "/a/b"),
        ("/a/b/", "/a/b?x=%20&y", "./b/?x=%20&y", "/a/b/?x=%20&y"),
        ("/a/{x}", "/a/%C3%BC%3F/", "../%C3%BC%3F", "/a/%C3%BC%3F"),
        ("/a/{x}/", "/a/b:c", "./b:c/", "/a/b:c/"),
    ],
)
def test_the_other_slash_is_a_relative_308(drive: Drive, pattern: str, path: str, location: str, end: str) -> None:
    app = Application([Route(pattern, lambda *everything: "there")])
    raw, _, query = path.partition("?")
    start = drive(app, method="POST", path=unquote(raw), raw_path=raw.encode(), query_string=query.encode())[0]
    assert start["status"] == 308
    assert dict(start["headers"])[b"location"] == location.encode()
    assert urljoin("http://site.test" + path, location) == "http://site.test" + end


@pytest.mark.parametrize(
    ("pattern", "path", "location"),
    [
        ("/a/", "/a//", b"../"),
        ("//evil.test", "//evil.test/", b"../evil.test"),
        ("//evil.test/", "//evil.test", b"./evil.test/"),
        ("/", "//", b"../"),
    ],
)
def test_an_empty_segment_never_becomes_a_host(drive: Drive, pattern: str, path: str, location: bytes) -> None:
    app = Application([Route(pattern, lambda request: "there")])
    start = drive(app, path=path, raw_path=path.encode())[0]
    assert (start["status"], dict(start["headers"])[b"location"]) == (308, location)


def test_an_unknown_path_is_404(ask: Ask, app: Application) -> None:
    assert ask(app, "GET", "/nothing").status_code == 404
    assert ask(app, "GET", "/later/x").status_code == 404


def test_a_path_that_an_outer_middleware_has_changed_is_the_one_that_counts() -> None:
    app = Application([Route("/x", lambda request: request.path), Route("/{a}", lambda request, a: "asked")])

    async def outer(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, "path": "/x"} if scope["type"] == "http" else scope, receive, send)

    with TestClient(outer) as client:
        assert [client.get(path).text for path in ("/asked", "/as%2Fked", "/x")] == ["/x", "/x", "/x"]


@pytest.mark.parametrize("path", ["/a/1/2", "/a/add/2", "/a/add/add"])
def test_a_converter_may_add_a_route(ask: Ask, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    def parse(text: str) -> str:
        if text == "add":
            app.get(f"/new{len(app.router.routes)}")(lambda request: "new")
            assert app.router.match("GET", b"/new1") is not None
            app.prepare()
        return text

    monkeypatch.setitem(converters._CONVERTERS, "plugin", converters.Converter(parse))
    app = Application([Route("/a/{x:plugin}/{y:plugin}", lambda request, x, y: f"{x} {y}")])
    assert ask(app, "GET", path).text == path[3:].replace("/", " ")
    assert ask(app, "GET", "/new1").status_code == (200 if "add" in path else 404)


def test_routes_that_are_added_in_any_way_are_found(ask: Ask) -> None:
    class Plugin:
        def bind(self, app: Application) -> None:
            app.router.add(Route("/bound", lambda request: "bound"))

        def before(self, request: Request) -> None:
            return None

    app = Application([Route("/", lambda request: "home")], middleware=[Plugin()])
    assert ask(app, "GET", "/").text == "home"
    assert ask(app, "GET", "/bound").text == "bound"
    app.router.add(Route("/later", lambda request: "later"))
    assert ask(app, "GET", "/later").text == "later"


def test_an_encoded_slash_is_part_of_a_segment(drive: Drive) -> None:
    app = Application([Route("/{a}/{b}", lambda request, a, b: "two"), Route("/{a}", lambda request, a: a)])
    assert drive(app, path="/x/y", raw_path=b"/x%2Fy")[1]["body"] == b"x/y"
    assert drive(app, path="/x/y", raw_path=b"/x/y")[1]["body"] == b"two"


def test_a_root_path_is_not_part_of_the_route(drive: Drive, app: Application) -> None:
    assert drive(app, path="/site/hello/x", root_path="/site")[0]["status"] == 200


def test_an_http_exception_is_its_response(ask: Ask) -> None:
    app = Application([Route("/", lambda request: abort(403, "not for you", {"x-a": "b"}))])
    response = ask(app, "GET", "/")
    assert (response.status_code, response.headers["x-a"]) == (403, "b")
    assert response.json() == {"title": "Forbidden", "status": 403, "detail": "not for you"}


def broken(request: Request) -> None:
    raise RuntimeError("the secret")


def test_an_unhandled_exception_is_a_500_without_details_and_is_logged(
    ask: Ask, caplog: pytest.LogCaptureFixture
) -> None:
    app = Application([Route("/a\nb", broken)])
    response = ask(app, "GET", "/a%0Ab", headers={"accept": "text/html"})
    assert response.status_code == 500
    assert "secret" not in response.text
    (record,) = (each for each in caplog.records if each.levelno >= logging.WARNING)
    assert record.getMessage() == r"GET '/a\nb' failed"
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], RuntimeError)


def test_with_debug_it_shows_the_traceback(ask: Ask) -> None:
    response = ask(Application([Route("/", broken)], debug=True), "GET", "/", headers={"accept": "text/html"})
    assert "RuntimeError: the secret" in response.text


def test_a_result_that_is_no_response_is_an_unhandled_exception(ask: Ask, caplog: pytest.LogCaptureFixture) -> None:
    assert ask(Application([Route("/", lambda request: 5)]), "GET", "/").status_code == 500
    assert "returned an int" in caplog.text


def test_handlers_by_status_by_class_and_by_the_nearest_class(ask: Ask) -> None:
    def by_status(request: Request, error: HTTPException) -> Any:
        return f"status {error.status_code}", error.status_code

    async def by_class(request: AsyncRequest, error: Exception) -> Any:
        assert isinstance(request, AsyncRequest)
        return f"class {type(error).__name__}", 409

    app = Application(exception_handlers={404: by_status, LookupError: by_class})
    app.get("/lookup")(lambda request: {}["x"])
    app.get("/bad")(lambda request: abort(400))
    app.exception_handler(BadRequest)(by_class)
    assert ask(app, "GET", "/nothing").text == "status 404"
    assert ask(app, "GET", "/lookup").text == "class KeyError"
    assert ask(app, "GET", "/bad").text == "class BadRequest"


def test_handlers_of_unhandled_exceptions_do_not_get_others(ask: Ask, caplog: pytest.LogCaptureFixture) -> None:
    for key in (500, Exception):
        app = Application([Route("/", broken)], exception_handlers={key: lambda request, error: ("sorry", 500)})
        caplog.clear()
        assert ask(app, "GET", "/").text == "sorry"
        assert "RuntimeError: the secret" in caplog.text
        assert ask(app, "GET", "/nothing").status_code == 404


def test_a_handler_that_fails_is_answered_with_the_default_page(ask: Ask, caplog: pytest.LogCaptureFixture) -> None:
    app = Application(exception_handlers={404: broken_handler, Forbidden: raising_handler})
    app.get("/forbidden")(lambda request: abort(403))
    assert ask(app, "GET", "/nothing").status_code == 500
    assert "the secret" in caplog.text
    assert ask(app, "GET", "/forbidden").status_code == 404


def broken_handler(request: Request, error: Exception) -> None:
    raise RuntimeError("the secret")


def raising_handler(request: Request, error: Exception) -> None:
    raise NotFound


def test_a_handler_keeps_the_headers_of_the_error(ask: Ask, app: Application) -> None:
    app.exception_handler(405)(lambda request, error: ("no", 405))
    assert ask(app, "POST", "/hello/x").headers["allow"] == "GET, HEAD, OPTIONS"


@pytest.mark.parametrize(
    ("key", "handler", "message"),
    [
        (200, hello, "expected a status from 400 or an exception, got 200"),
        ("404", hello, "got '404'"),
        (KeyboardInterrupt, hello, "got <class 'KeyboardInterrupt'>"),
        (404, lambda request: None, "called with the request and the error"),
    ],
)
def test_handlers_that_cannot_work_stop_the_start(key: Any, handler: Any, message: str) -> None:
    with pytest.raises(StartupError, match=rf"test_application.py:\d+: .*{message}"):
        Application(exception_handlers={key: handler})


def test_a_doubled_route_stops_the_start_at_its_decorator(app: Application) -> None:
    with pytest.raises(StartupError, match=r"test_application.py:\d+: route '/hello/\{who\}': GET is answered already"):
        app.get("/hello/{who}")(lambda request, who: None)


def test_a_missing_template_folder_stops_the_start() -> None:
    with pytest.raises(StartupError, match=r"test_application.py:\d+: template folder '.*nowhere' does not exist"):
        Application(config={"template_dirs": ["nowhere"]})


def test_an_asgi_application_as_a_result(ask: Ask) -> None:
    async def asgi_app(scope: Any, receive: Any, send: Any) -> None:
        await Response("asgi")(scope, receive, send)

    assert ask(Application([Route("/", lambda request: asgi_app)]), "GET", "/").text == "asgi"


def test_a_stream(ask: Ask) -> None:
    assert ask(Application([Route("/", lambda request: StreamingResponse(["a", "b"]))]), "GET", "/").text == "ab"


def test_state_of_the_lifespan_reaches_the_request(ask: Ask) -> None:
    @asynccontextmanager
    async def life(app: Application) -> AsyncIterator[dict[str, Any]]:
        yield {"pool": 5}

    app = Application([Route("/", lambda request: str(request.state.pool))], lifespan=life)
    assert ask(app, "GET", "/").text == "5"
    app.state.name = "x"
    assert app.state["name"] == "x"


def test_a_websocket_is_refused(call: Drive) -> None:
    assert call(Application(), type="websocket") == [{"type": "websocket.close", "code": 1000}]


def test_a_startup_error_is_reported_to_the_server(call: Drive) -> None:
    class Needy:
        def bind(self, application: Application) -> None:
            raise StartupError("Needy: no secret key")

        def before(self, request: Request) -> None: ...

    app = Application([Route("/", broken)], middleware=[Needy()])
    sent = call(app, [{"type": "lifespan.startup"}], type="lifespan")
    assert sent == [{"type": "lifespan.startup.failed", "message": "Needy: no secret key"}]


def test_the_configuration_may_set_the_level_of_the_log(call: Drive, monkeypatch: pytest.MonkeyPatch) -> None:
    log = logging.getLogger("atlas.web")
    monkeypatch.setattr(log, "level", log.level)  # put back at the end
    call(Application(config={"log_level": "error"}), [{"type": "lifespan.startup"}, {}], type="lifespan")
    assert log.level == logging.ERROR


def test_an_unknown_scope_is_a_runtime_error(call: Drive) -> None:
    with pytest.raises(RuntimeError, match="expected a scope of type http, websocket or lifespan, got 'smtp'"):
        call(Application(), type="smtp")


def test_jinja_is_imported_only_if_there_are_templates(tmp_path: Path) -> None:
    program = (
        "import sys, atlas; app = atlas.Application(); atlas.Static\n"
        "sys.exit([name for name in sys.modules if name.startswith(('jinja2', 'atlas.server'))] and 1 or 0)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False, cwd=Path(__file__).parents[2]).returncode == 0
