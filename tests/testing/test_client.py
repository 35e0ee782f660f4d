"""The client of plain tests."""

import asyncio
import contextvars
import gc
import threading
import traceback
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest

from atlas import Application, AsyncRequest, ClientDisconnected, NotFound, Request, Response, StreamingResponse
from atlas.testing import TestClient

VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="default")


@pytest.fixture
def app() -> Application:
    app = Application()
    app.state.seen = []
    app.on_startup(lambda: app.state.seen.append("up"))
    app.on_shutdown(lambda: app.state.seen.append("down"))

    @app.route("/", ["GET", "POST", "PUT", "PATCH", "DELETE"])
    async def echo(request: AsyncRequest) -> dict[str, Any]:
        return {"method": request.method, "body": await request.text(), "thread": threading.get_ident()}

    @app.get("/who")
    def who(request: Request) -> str:
        return VARIABLE.get()

    @app.get("/boom")
    def boom(request: Request) -> None:
        raise ValueError("why")

    @app.get("/missing")
    def missing(request: Request) -> None:
        raise NotFound("no such lake")

    @app.get("/count")
    async def count(request: AsyncRequest) -> Response:
        async def numbers() -> AsyncIterator[str]:
            try:
                for number in range(1000):
                    app.state.seen.append(number)
                    yield f"{number}\n"
            finally:
                app.state.seen.append("closed")

        return StreamingResponse(numbers())

    @app.post("/login")
    async def login(request: AsyncRequest) -> Response:
        response = Response(b"", 204)
        response.set_cookie("user", str((await request.form())["name"]))
        return response

    @app.get("/me")
    def me(request: Request) -> dict[str, str | None]:
        return {"user": request.cookies.get("user")}

    return app


@pytest.fixture
def client(app: Application) -> Iterator[TestClient]:
    with TestClient(app) as client:
        yield client


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete"])
def test_methods(client: TestClient, method: str) -> None:
    response = getattr(client, method)("/", content=b"x")
    assert response.json() == {"method": method.upper(), "body": "x", "thread": threading.get_ident()}


def test_head_and_options(client: TestClient) -> None:
    assert (client.head("/").status_code, client.head("/").content) == (200, b"")
    assert "GET" in client.options("/").headers["allow"]


def test_the_lifespan_in_a_with_block(app: Application) -> None:
    with TestClient(app) as client:
        assert app.state.seen == ["up"]
        client.get("/")
    assert app.state.seen == ["up", "down"]
    with pytest.raises(RuntimeError, match="this client is closed"):
        client.get("/")


def test_the_lifespan_by_the_first_request(app: Application) -> None:
    client = TestClient(app)
    assert app.state.seen == []
    client.get("/")
    client.get("/")
    assert app.state.seen == ["up"]
    client.close()
    client.close()
    assert app.state.seen == ["up", "down"]


def test_a_client_that_is_dropped_shuts_down(app: Application) -> None:
    TestClient(app).get("/")
    gc.collect()
    assert app.state.seen == ["up", "down"]


def test_a_start_that_fails_reaches_the_test(app: Application) -> None:
    @app.on_startup
    def fail() -> None:
        raise ValueError("no database")

    with pytest.raises(Exception, match="no database"):
        TestClient(app).__enter__()


def test_an_exception_reaches_the_test_with_its_own_traceback(client: TestClient) -> None:
    with pytest.raises(ValueError, match="why") as caught:
        client.get("/boom")
    assert traceback.extract_tb(caught.value.__traceback__)[-1].name == "boom"
    assert caught.value.__context__ is None
    assert client.get("/missing").status_code == 404


def test_unless_it_is_not_wanted(app: Application) -> None:
    with TestClient(app, raise_server_exceptions=False) as client:
        response = client.get("/boom")
    assert (response.status_code, "why" in response.text) == (500, False)


def test_cookies_last(client: TestClient) -> None:
    assert client.get("/me").json() == {"user": None}
    assert client.post("/login", data={"name": "ada"}).cookies["user"] == "ada"
    assert client.get("/me").json() == {"user": "ada"}
    assert client.cookies["user"] == "ada"
    client.cookies.clear()
    assert client.get("/me").json() == {"user": None}


def test_context_variables_of_the_test_are_seen(client: TestClient) -> None:
    token = VARIABLE.set("the test")
    try:
        assert client.get("/who").text == "the test"
    finally:
        VARIABLE.reset(token)


def test_a_stream_goes_no_further_than_it_is_read(app: Application, client: TestClient) -> None:
    with client.stream("GET", "/count") as response:
        assert response.status_code == 200
        lines = response.iter_lines()
        assert [next(lines), next(lines)] == ["0", "1"]
        assert app.state.seen in (["up", 0, 1], ["up", 0, 1, 2])
    assert app.state.seen[-1] == "closed"
    assert len(app.state.seen) < 10


def test_a_stream_read_to_its_end(app: Application, client: TestClient) -> None:
    with client.stream("GET", "/count") as response:
        assert len(response.read().split()) == 1000
        assert len(response.text.split()) == 1000
    assert app.state.seen[-2:] == [999, "closed"]


def test_the_client_leaves_a_stream(app: Application, client: TestClient) -> None:
    with client.stream("GET", "/count") as response:
        next(response.iter_bytes())
        client.disconnect()
        with pytest.raises(ClientDisconnected):
            for _ in response.iter_bytes():
                pass
    assert app.state.seen[-1] == "closed"


def test_the_client_leaves_in_its_request(client: TestClient) -> None:
    def half() -> Iterator[bytes]:
        yield b"half of"
        client.disconnect()
        yield b" it"

    with pytest.raises(ClientDisconnected, match="before the response started"):
        client.post("/", content=half())
    assert client.get("/").status_code == 200


def test_a_loop_that_runs_already_is_not_for_it(app: Application) -> None:
    client = TestClient(app)

    async def go() -> None:
        client.get("/")

    with pytest.raises(RuntimeError, match="use AsyncTestClient"):
        asyncio.run(go())


def test_background_work_is_done_when_the_request_returns(app: Application) -> None:
    async def work(word: str) -> None:
        await asyncio.sleep(0)
        app.state.seen.append(word)

    @app.post("/jobs")
    def start(request: Request) -> None:
        app.background(work, "done")

    with TestClient(app) as client:
        client.post("/jobs")
        assert app.state.seen == ["up", "done"]


def test_what_it_carries(app: Application) -> None:
    client = TestClient(app, base_url="http://site.test")
    client.headers["x-a"] = "b"
    assert client.get("/").request.headers["x-a"] == "b"
    assert (client.base_url, client.get("/me").url) == ("http://site.test", "http://site.test/me")


def test_websockets_are_not_implemented(client: TestClient) -> None:
    with pytest.raises(NotImplementedError, match="are not implemented"):
        client.websocket("/ws")


def test_over_a_socket(app: Application) -> None:
    with TestClient(app, over_socket=True) as client:
        assert client.base_url.startswith("http://127.0.0.1:")
        assert client.get("/").json()["thread"] != threading.get_ident()
        assert client.get("/boom").status_code == 500
        assert client.post("/login", data={"name": "ada"}).headers["server"] == "atlas"
        assert client.get("/me").json() == {"user": "ada"}
        with client.stream("GET", "/count") as response:
            assert next(response.iter_lines()) == "0"
    assert app.state.seen[-1] == "down"


@pytest.mark.parametrize(
    ("method", "url", "options"),
    [
        ("GET", "/", {"params": {"a": [1, "ü &"], "b": True, "c": None}}),
        ("GET", "/a b/%2Fc/ü?q=ä d", {}),
        ("POST", "/", {"json": {"a": [1, None, "ü"]}}),
        ("POST", "/", {"data": {"a": "ü &=", "b": ["1", "2"], "c": True}}),
        ("PUT", "/", {"content": "ü"}),
        ("POST", "/", {}),
        ("DELETE", "/", {"headers": {"X-A": "b", "Accept": "text/html"}, "cookies": {"a": "b"}}),
    ],
)
def test_it_sends_what_httpx_sends(method: str, url: str, options: dict[str, Any]) -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            kept = {name: scope[name] for name in ("method", "path", "query_string", "scheme", "server")}
            ignored = (b"user-agent", b"accept-encoding", b"connection")
            headers = sorted(pair for pair in scope["headers"] if pair[0] not in ignored)
            seen.append((kept, headers, (await receive())["body"]))
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body"})

    async def by_httpx() -> None:
        own = dict(options)
        cookies = own.pop("cookies", None)
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver:80", cookies=cookies) as client:
            await client.request(method, url, **own)

    asyncio.run(by_httpx())
    TestClient(app).request(method, url, **options)
    theirs, ours = seen
    assert ours[1:] == theirs[1:]
    assert ours[0] == {**theirs[0], "server": ("testserver", 80)}


def test_any_asgi_application() -> None:
    starlette = pytest.importorskip("starlette.applications")
    responses = pytest.importorskip("starlette.responses")
    routing = pytest.importorskip("starlette.routing")

    async def home(request: Any) -> Any:
        return responses.PlainTextResponse(f"hello {request.query_params['name']}")

    async def boom(request: Any) -> Any:
        raise ValueError("why")

    app = starlette.Starlette(routes=[routing.Route("/", home), routing.Route("/boom", boom)])
    with TestClient(app) as client:
        assert client.get("/", params={"name": "ada"}).text == "hello ada"
        with pytest.raises(ValueError, match="why"):
            client.get("/boom")
