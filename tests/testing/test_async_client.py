"""The client of tests that run in a loop."""

import asyncio
import traceback
from collections.abc import AsyncIterator
from typing import Any

import pytest

from atlas import Application, AsyncRequest, ClientDisconnected, Request, Response, StreamingResponse
from atlas.testing import AsyncTestClient


@pytest.fixture
def app() -> Application:
    app = Application()
    app.state.seen = []
    app.on_startup(lambda: app.state.seen.append("up"))
    app.on_shutdown(lambda: app.state.seen.append("down"))

    @app.route("/", ["GET", "POST", "PUT", "PATCH", "DELETE"])
    async def echo(request: AsyncRequest) -> dict[str, Any]:
        return {"method": request.method, "loop": id(asyncio.get_running_loop())}

    @app.get("/boom")
    def boom(request: Request) -> None:
        raise ValueError("why")

    @app.get("/count")
    async def count(request: AsyncRequest) -> Response:
        async def numbers() -> AsyncIterator[str]:
            try:
                for number in range(1000):
                    yield f"{number}\n"
            finally:
                app.state.seen.append("closed")

        return StreamingResponse(numbers())

    return app


def test_it_works_in_a_running_loop(app: Application) -> None:
    async def go() -> None:
        async with AsyncTestClient(app) as client:
            loop = id(asyncio.get_running_loop())
            for method in ("get", "post", "put", "patch", "delete"):
                response = await getattr(client, method)("/")
                assert response.json() == {"method": method.upper(), "loop": loop}
            assert (await client.head("/")).content == b""
            assert "GET" in (await client.options("/")).headers["allow"]
            both = await asyncio.gather(client.get("/"), client.get("/"))
            assert [response.status_code for response in both] == [200, 200]
            assert client.base_url == "http://testserver"
            assert dict(client.cookies) == {}
            assert client.headers["accept"] == "*/*"

    asyncio.run(go())
    assert app.state.seen == ["up", "down"]


def test_the_first_request_starts_it(app: Application) -> None:
    async def go() -> None:
        client = AsyncTestClient(app)
        await client.get("/")
        await client.aclose()

    asyncio.run(go())
    assert app.state.seen == ["up", "down"]


def test_an_exception_reaches_the_test(app: Application) -> None:
    async def go() -> None:
        async with AsyncTestClient(app) as client:
            await client.get("/boom")

    with pytest.raises(ValueError, match="why") as caught:
        asyncio.run(go())
    assert traceback.extract_tb(caught.value.__traceback__)[-1].name == "boom"


def test_streams(app: Application) -> None:
    async def go() -> None:
        async with AsyncTestClient(app) as client:
            async with client.stream("GET", "/count") as response:
                async for line in response.aiter_lines():
                    if line == "5":
                        break
            assert app.state.seen == ["up", "closed"]
            async with client.stream("GET", "/count") as response:
                assert len((await response.aread()).split()) == 1000
                assert len(response.text.split()) == 1000
            async with client.stream("GET", "/count") as response:
                client.disconnect()
                with pytest.raises(ClientDisconnected):
                    async for _ in response.aiter_bytes(1):
                        pass

    asyncio.run(go())


def test_over_a_socket(app: Application) -> None:
    async def go() -> None:
        async with AsyncTestClient(app, over_socket=True) as client:
            assert (await client.get("/")).json()["loop"] != id(asyncio.get_running_loop())

    asyncio.run(go())


def test_websockets_are_not_implemented(app: Application) -> None:
    with pytest.raises(NotImplementedError, match="are not implemented"):
        AsyncTestClient(app).websocket("/ws")
