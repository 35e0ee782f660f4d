import asyncio
from typing import Any

import pytest

from atlas import Application, AsyncRequest, Request, Route
from atlas.errors import ClientDisconnected
from atlas.testing.response import ResponseHeaders, SentRequest
from atlas.testing.transports import InProcess, OverSocket, TransportResponse
from atlas.testing.urls import URL


def request(path: str, body: Any = b"", method: str = "GET", *fields: tuple[bytes, bytes]) -> SentRequest:
    return SentRequest(
        method, URL(f"http://site.test{path}"), ResponseHeaders([(b"host", b"site.test"), *fields]), body
    )


async def whole(answer: TransportResponse) -> bytes:
    pieces = []
    while (piece := await answer.next_chunk()) is not None:
        pieces.append(piece)
    await answer.close()
    return b"".join(pieces)


def test_the_scope() -> None:
    scopes: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scopes.append(scope)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})

    async def go() -> None:
        transport = InProcess(app, "/mounted", ("10.0.0.1", 5), True)
        opened: list[TransportResponse] = []
        answer = await transport.send(request("/a%20b?c=d"), opened)
        assert opened == [answer]
        await answer.close()

    asyncio.run(go())
    scope = scopes[0]
    del scope["atlas.on_error"]
    assert scope == {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/a b",
        "raw_path": b"/a%20b",
        "query_string": b"c=d",
        "root_path": "/mounted",
        "headers": [(b"host", b"site.test")],
        "client": ("10.0.0.1", 5),
        "server": ("site.test", 80),
        "state": {},
        "extensions": {},
    }


async def echo(request: AsyncRequest) -> bytes:
    return await request.body()


def site() -> Application:
    return Application([Route("/", lambda request: "hello"), Route("/echo", echo, ["POST"])])


async def pieces() -> Any:
    yield b"a"
    yield b"b"


def test_over_a_socket() -> None:
    async def go() -> None:
        transport = OverSocket(site(), "")
        await transport.start()
        try:
            assert transport.origin is not None
            assert transport.origin.startswith("http://127.0.0.1:")
            answer = await transport.send(request("/"), [])
            assert (answer.status, await whole(answer)) == (200, b"hello")
            assert dict(answer.headers)[b"content-type"] == b"text/html; charset=utf-8"
            chunked = (b"transfer-encoding", b"chunked")
            for body in (iter([b"a", b"b"]), pieces()):
                assert await whole(await transport.send(request("/echo", body, "POST", chunked), [])) == b"ab"
            answer = await transport.send(request("/"), [])
            answer.disconnect()
            with pytest.raises(ClientDisconnected):
                await answer.next_chunk()
        finally:
            await transport.stop()

    asyncio.run(go())


def test_the_state_of_the_lifespan_is_copied() -> None:
    seen: list[dict[str, Any]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await receive()
            scope["state"]["pool"] = 1
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        seen.append(dict(scope["state"]))
        scope["state"]["mine"] = 2
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})

    async def go() -> None:
        transport = InProcess(app, "", ("a", 1), True)
        await transport.start()
        for _ in range(2):
            await (await transport.send(request("/"), [])).close()
        await transport.stop()

    asyncio.run(go())
    assert seen == [{"pool": 1}, {"pool": 1}]


def test_a_request_knows_its_client() -> None:
    def who(request: Request) -> str:
        return request.ip or ""

    async def go() -> bytes:
        return await whole(await InProcess(Application([Route("/", who)]), "", ("::1", 1), True).send(request("/"), []))

    assert asyncio.run(go()) == b"::1"
