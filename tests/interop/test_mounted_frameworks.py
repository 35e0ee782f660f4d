"""Other frameworks inside an Atlas application, Atlas inside of them, and their middleware around its controllers."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from atlas import Application, AsyncRequest, Middleware, Mount, Request, Response, Route, StreamingResponse, TestClient


def ask(app: Any, method: str, path: str, **options: Any) -> httpx.Response:
    async def go() -> httpx.Response:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://site.test") as client:
            return await client.request(method, path, **options)

    return asyncio.run(go())


class Mark:
    def after(self, request: Any, response: Response) -> None:
        response.headers["x-mark"] = str(response.status_code)


def test_fastapi_inside_with_its_lifespan() -> None:
    fastapi = pytest.importorskip("fastapi")
    log: list[str] = []

    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[None]:
        log.append("open")
        yield
        log.append("close")

    inner = fastapi.FastAPI(lifespan=lifespan)

    @inner.get("/items/{number}")
    async def item(number: int, request: fastapi.Request) -> dict[str, Any]:
        return {"number": number, "url": str(request.url), "root": request.scope["root_path"]}

    app = Application([Mount("/api", inner), Route("/", lambda request: "home")], middleware=[Mark()])
    with TestClient(app) as client:
        assert log == ["open"]
        response = client.get("/api/items/5")
        assert response.json()["number"] == 5
        assert response.json()["root"] == "/api"
        assert response.json()["url"].endswith("/api/items/5")
        assert response.headers["x-mark"] == "200"
        assert client.get("/api/nothing").headers["x-mark"] == "404"
        assert client.get("/api/docs").status_code == 200
        assert client.get("/").text == "home"
    assert log == ["open", "close"]


def test_atlas_inside_of_starlette() -> None:
    applications = pytest.importorskip("starlette.applications")
    routing = pytest.importorskip("starlette.routing")

    def show(request: Request, name: str) -> dict[str, Any]:
        return {"name": name, "url": request.url_for("show", name=name), "root": request.scope["root_path"]}

    app = applications.Starlette(routes=[routing.Mount("/inside", app=Application([Route("/show/{name}", show)]))])
    answer = ask(app, "GET", "/inside/show/a%2Fb").json()
    assert answer == {"name": "a/b", "url": "/inside/show/a%2Fb", "root": "/inside"}


def test_atlas_inside_of_atlas() -> None:
    inner = Application([Route("/show/{name}", lambda request, name: request.url_for("show", name=name), name="show")])
    app = Application([Mount("/a", Application([Mount("/b", inner)]))])
    assert ask(app, "GET", "/a/b/show/x").text == "/a/b/show/x"
    assert ask(app, "GET", "/a/b/show/x/").headers["location"] == "../x"


def middleware_of_starlette() -> list[Any]:
    from starlette.middleware.base import BaseHTTPMiddleware
    from starlette.middleware.cors import CORSMiddleware
    from starlette.middleware.gzip import GZipMiddleware

    async def add(request: Any, call_next: Any) -> Any:
        response = await call_next(request)
        response.headers["x-base"] = "1"
        return response

    return [
        Mark(),
        Middleware(CORSMiddleware, allow_origins=["https://else.test"]),
        Middleware(BaseHTTPMiddleware, dispatch=add),
        Middleware(GZipMiddleware, minimum_size=10),
    ]


def show(request: Request) -> str:
    return "show" * 100


async def awaited(request: AsyncRequest) -> Any:
    return {"body": await request.text()}


async def stream(request: AsyncRequest) -> StreamingResponse:
    async def pieces() -> AsyncIterator[str]:
        for _ in range(3):
            await asyncio.sleep(0)
            yield "piece" * 100

    return StreamingResponse(pieces())


@pytest.mark.parametrize(
    ("method", "controller", "text"),
    [("GET", show, "show" * 100), ("POST", awaited, '{"body":"sent"}'), ("GET", stream, "piece" * 300)],
)
def test_middleware_of_starlette_around(method: str, controller: Callable[..., Any], text: str) -> None:
    pytest.importorskip("starlette")
    app = Application([Route("/", controller, [method])], middleware=middleware_of_starlette())
    body = {"content": "sent"} if method == "POST" else {}
    response = ask(app, method, "/", headers={"origin": "https://else.test", "accept-encoding": "gzip"}, **body)
    assert response.text == text
    assert response.headers["content-encoding"] == "gzip"
    assert response.headers["access-control-allow-origin"] == "https://else.test"
    assert (response.headers["x-base"], response.headers["x-mark"]) == ("1", "200")
    missing = ask(app, "GET", "/nothing", headers={"origin": "https://else.test"})
    assert (missing.headers["x-base"], missing.headers["x-mark"]) == ("1", "404")
