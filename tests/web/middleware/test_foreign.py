import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from atlas import Application, AsyncRequest, Response, Route
from atlas.web.middleware.foreign import Middleware, start_foreign

Ask = Callable[..., httpx.Response]
Drive = Callable[..., list[dict[str, Any]]]


async def foreign(scope: Any, receive: Any, send: Any) -> None:
    await asyncio.sleep(0)
    await send({"type": "http.response.start", "status": 201, "headers": [[b"x-a", b"b"]]})
    for piece in (b"one", b"two"):
        await send({"type": "http.response.body", "body": piece, "more_body": True})
        await asyncio.sleep(0)
    await send({"type": "http.response.body", "body": b""})


async def start(app: Any) -> Response:
    return await start_foreign(app, {"type": "http", "method": "GET"}, None)  # type: ignore[arg-type]


def test_it_stops_at_its_start_and_goes_on_when_it_is_sent() -> None:
    sent = []

    async def send(event: Any) -> None:
        sent.append(event)

    async def run() -> None:
        response = await start(foreign)
        assert (response.status_code, dict(response.headers)) == (201, {"x-a": "b"})
        assert sent == []
        response.headers["x-a"] = "c"
        response.status_code = 202
        await response({"type": "http", "method": "GET"}, None, send)  # type: ignore[arg-type]

    asyncio.run(run())
    assert sent[0] == {"type": "http.response.start", "status": 202, "headers": [(b"x-a", b"c")]}
    assert b"".join(event["body"] for event in sent[1:]) == b"onetwo"


def test_an_application_that_answers_nothing_is_a_surprise() -> None:
    async def silent(scope: Any, receive: Any, send: Any) -> None: ...

    async def hasty(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.body"})

    with pytest.raises(RuntimeError, match="returned without a response"):
        asyncio.run(start(silent))
    with pytest.raises(RuntimeError, match=r"expected http.response.start, got http.response.body"):
        asyncio.run(start(hasty))


def test_a_response_that_nobody_sends_ends_the_application() -> None:
    ended = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            await foreign(scope, receive, send)
        finally:
            ended.append(True)

    async def run() -> None:
        response = await start(app)
        del response
        assert ended == [True]

    asyncio.run(run())


def test_a_cancellation_reaches_what_waits() -> None:
    seen = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    async def run() -> None:
        task = asyncio.ensure_future(start(app))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    assert seen == ["cancelled"]


def test_a_middleware_may_read_or_replace_the_body(ask: Ask) -> None:
    class Upper:
        def __init__(self, app: Any) -> None:
            self.app = app

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            async def upper() -> Any:
                event = await receive()
                return {**event, "body": event["body"].upper()}

            await self.app({**scope, "method": "PUT"}, upper, send)

    async def echo(request: AsyncRequest) -> str:
        return request.method + await request.text()

    app = Application([Route("/", echo, ["POST"], middleware=[Middleware(Upper)])])
    assert ask(app, "POST", "/", content=b"abc").text == "PUTABC"


def test_its_body_may_be_wrapped() -> None:
    sent = []

    async def send(event: Any) -> None:
        sent.append(event)

    async def run() -> None:
        response = await start(foreign)
        assert response.streaming
        response.wrap(bytes.upper, lambda: b"!")
        response.wrap(lambda piece: piece + b".")
        await response({"type": "http", "method": "GET"}, None, send)  # type: ignore[arg-type]

    asyncio.run(run())
    assert [event["body"] for event in sent[1:]] == [b"ONE.", b"TWO.", b"!."]


@pytest.mark.parametrize("waits", [True, False])
def test_the_fields_of_middleware_reach_an_application_that_is_a_result(ask: Ask, waits: bool) -> None:
    class Mark:
        def after(self, request: Any, response: Response) -> None:
            response.headers["x-mark"] = "1"

    async def later(request: Any) -> Any:
        return foreign

    app = Application([Route("/", later if waits else lambda request: foreign)], middleware=[Mark()])
    for method, headers in (("GET", {}), ("GET", {"content-length": "0"})):
        response = ask(app, method, "/", headers=headers)
        assert (response.status_code, response.text) == (201, "onetwo")
        assert (response.headers["x-a"], response.headers["x-mark"]) == ("b", "1")
        assert "content-type" not in response.headers


def test_a_middleware_is_a_class() -> None:
    with pytest.raises(TypeError, match="expected an ASGI middleware class, got 5"):
        Middleware(5)  # type: ignore[arg-type]
    assert repr(Middleware(Response)) == "Middleware(Response)"
