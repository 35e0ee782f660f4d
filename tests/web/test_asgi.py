import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from atlas import Application, AsyncRequest, Compress, ConditionalGet, Mount, Request, Response, Route, SecurityHeaders
from atlas.web.asgi import Middleware, close_applications, start_application
from atlas.web.background import CURRENT

Ask = Callable[..., httpx.Response]
Drive = Callable[..., list[dict[str, Any]]]


async def asgi_app(scope: Any, receive: Any, send: Any) -> None:
    await asyncio.sleep(0)
    await send({"type": "http.response.start", "status": 201, "headers": [[b"x-a", b"b"]]})
    for piece in (b"one", b"two"):
        await send({"type": "http.response.body", "body": piece, "more_body": True})
        await asyncio.sleep(0)
    await send({"type": "http.response.body", "body": b""})


async def start(app: Any) -> Response:
    return await start_application(app, {"type": "http", "method": "GET"}, None)  # type: ignore[arg-type]


def test_it_stops_at_its_start_and_goes_on_when_it_is_sent() -> None:
    sent = []

    async def send(event: Any) -> None:
        sent.append(event)

    async def run() -> None:
        response = await start(asgi_app)
        assert (response.status_code, dict(response.headers)) == (201, {"x-a": "b"})
        assert sent == []
        response.headers["x-a"] = "c"
        response.status_code = 202
        await response({"type": "http", "method": "GET"}, None, send)  # type: ignore[arg-type]

    asyncio.run(run())
    assert sent[0] == {"type": "http.response.start", "status": 202, "headers": [(b"x-a", b"c")]}
    assert b"".join(event["body"] for event in sent[1:]) == b"onetwo"


def test_an_application_without_a_response_is_an_unhandled_exception() -> None:
    async def silent(scope: Any, receive: Any, send: Any) -> None: ...

    async def hasty(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.body"})

    with pytest.raises(RuntimeError, match="returned without a response"):
        asyncio.run(start(silent))
    with pytest.raises(RuntimeError, match=r"expected http.response.start, got http.response.body"):
        asyncio.run(start(hasty))


def test_an_application_whose_response_is_not_sent_is_closed() -> None:
    ended = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            await asgi_app(scope, receive, send)
        finally:
            ended.append(True)

    async def run() -> None:
        request = AsyncRequest(Application(), {"type": "http"}, None)  # type: ignore[arg-type]
        CURRENT.set(request)
        await start(app)
        assert ended == []
        await close_applications(request)
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
        response = await start(asgi_app)
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
        return asgi_app

    app = Application([Route("/", later if waits else lambda request: asgi_app)], middleware=[Mark()])
    for method, headers in (("GET", {}), ("GET", {"content-length": "0"})):
        response = ask(app, method, "/", headers=headers)
        assert (response.status_code, response.text) == (201, "onetwo")
        assert (response.headers["x-a"], response.headers["x-mark"]) == ("b", "1")
        assert "content-type" not in response.headers


def test_a_middleware_is_a_class() -> None:
    with pytest.raises(TypeError, match="expected an ASGI middleware class, got 5"):
        Middleware(5)  # type: ignore[arg-type]
    assert repr(Middleware(Response)) == "Middleware(Response)"


async def mixed(scope: Any, receive: Any, send: Any) -> None:
    fields = [("Content-Type", "Text/HTML"), ("ETag", '"1"'), ("Set-Cookie", "a=1"), ("SET-COOKIE", "b=2")]
    fields += [("X-Frame-Options", "sameorigin"), ("Last-Modified", "Tue, 14 Nov 2023 22:13:20 GMT")]
    head = [(name.encode(), value.encode()) for name, value in fields]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    await send({"type": "http.response.body", "body": b"deep water " * 100})


@pytest.mark.parametrize("asgi", [True, False])
def test_names_in_whatever_case_are_found(ask: Ask, asgi: bool) -> None:
    around = [Compress(codings=["gzip"]), ConditionalGet(), SecurityHeaders()]
    if asgi:
        app = Application([Route("/", lambda request: "")], middleware=[*around, Middleware(lambda inner: mixed)])
    else:
        app = Application([Mount("/", mixed)], middleware=around)
    response = ask(app, "GET", "/", headers={"accept-encoding": "gzip"})
    names = [name for name, _ in response.headers.raw]
    assert [name for name in names if names.count(name) > 1] == [b"set-cookie", b"set-cookie"]
    assert all(name == name.lower() for name in names)
    assert response.headers["content-encoding"] == "gzip"
    assert response.headers["content-type"] == "Text/HTML"
    assert response.headers["x-frame-options"] == "sameorigin"
    assert response.headers["etag"] == 'W/"1"'
    assert response.headers.get_list("set-cookie") == ["a=1", "b=2"]
    assert response.text == "deep water " * 100


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ({"type": "http.response.pathsend"}, b"0123456789"),
        ({"type": "http.response.zerocopysend"}, b"3456789"),
        ({"type": "http.response.zerocopysend", "offset": 2, "count": 5}, b"23456"),
        ({"type": "http.response.zerocopysend", "offset": 8, "count": 50}, b"89"),
    ],
)
def test_a_file_that_the_server_would_send_is_wrapped_too(tmp_path: Path, part: Any, expected: bytes) -> None:
    path = tmp_path / "ten"
    path.write_bytes(b"0123456789")
    sent: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        with path.open("rb", buffering=0) as file:
            file.seek(3)
            await send({"path": str(path), "file": file, **part})

    async def send(event: Any) -> None:
        sent.append(event)

    async def run() -> None:
        response = await start(app)
        response.wrap(bytes.swapcase, lambda: b"!")
        await response({"type": "http", "method": "GET"}, None, send)  # type: ignore[arg-type]

    asyncio.run(run())
    assert {event["type"] for event in sent[1:]} == {"http.response.body"}
    assert b"".join(event["body"] for event in sent[1:]) == expected + b"!"
    assert [event["more_body"] for event in sent[1:]][-1:] == [False]


def test_other_events_are_not_wrapped() -> None:
    sent: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [], "trailers": True})
        await send({"type": "http.response.body", "body": b"a"})
        await send({"type": "http.response.trailers", "headers": []})

    async def send(event: Any) -> None:
        sent.append(event)

    async def run() -> None:
        response = await start(app)
        response.wrap(bytes.upper)
        await response({"type": "http", "method": "GET"}, None, send)  # type: ignore[arg-type]

    asyncio.run(run())
    assert [event["type"] for event in sent] == [
        "http.response.start",
        "http.response.body",
        "http.response.trailers",
    ]
    assert sent[1]["body"] == b"A"


async def hinting(scope: Any, receive: Any, send: Any) -> None:
    if "http.response.early_hint" in scope.get("extensions", {}):
        await send({"type": "http.response.early_hint", "links": [b"</a.css>; rel=preload"]})
    await asgi_app(scope, receive, send)


def test_a_mounted_application_may_send_early_hints(ask: Ask) -> None:
    assert ask(Application([Mount("/", hinting)]), "GET", "/").status_code == 201


class Exclaims:
    """Reads the whole body, and hands on another one."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            event = await receive()
            assert event["type"] == "http.request", event
            body, more = body + event["body"], event["more_body"]
        events = [{"type": "http.request", "body": body + b"!", "more_body": False}]

        async def changed() -> Any:
            return events.pop() if events else await receive()

        await self.app(scope, changed, send)


async def echoing(scope: Any, receive: Any, send: Any) -> None:
    await Response((await receive())["body"])(scope, receive, send)


def reading(request: Request, call_next: Any) -> Any:
    body = request.body()
    response = call_next(request)
    assert request.body() == body
    return response


async def reading_async(request: AsyncRequest, call_next: Any) -> Any:
    await request.body()
    return await call_next(request)


@pytest.mark.parametrize("read", [reading, reading_async])
@pytest.mark.parametrize("outer", [True, False])
def test_a_body_that_was_read_comes_once_more_to_an_asgi_middleware(ask: Ask, read: Any, outer: bool) -> None:
    async def echo(request: AsyncRequest) -> str:
        return await request.text()

    def echo_sync(request: Request) -> str:
        return request.text()

    routes = [Route("/async", echo, ["POST"]), Route("/sync", echo_sync, ["POST"]), Mount("/mount", echoing)]
    stack = [read, Middleware(Exclaims)] if outer else [Middleware(Exclaims), read]
    app = Application(routes, middleware=stack)
    for path in ("/async", "/sync", "/mount/"):
        assert ask(app, "POST", path, content=b"abc").text == "abc!", path


def test_a_body_that_was_not_kept_is_an_error_for_a_mounted_application(ask: Ask) -> None:
    class Drains:
        async def before(self, request: AsyncRequest) -> None:
            async for _ in request.stream():
                pass

    app = Application([Mount("/", echoing)], middleware=[Drains()])
    assert ask(app, "POST", "/", content=b"abc").status_code == 500
    assert ask(app, "GET", "/").status_code == 200


@pytest.mark.parametrize("run", ["auto", "inline"])
def test_an_application_as_a_result_has_the_status_and_fields_beside_it(ask: Ask, run: Any) -> None:
    text = Response("x", 404, {"x-a": "own"}, content_type="text/plain")

    async def plain(scope: Any, receive: Any, send: Any) -> None:
        await text(scope, receive, send)

    app = Application([Route("/", lambda request: (plain, 202, {"content-type": "text/x", "x-b": "given"}), run=run)])
    response = ask(app, "GET", "/")
    assert response.status_code == 202
    assert response.headers.get_list("content-type") == ["text/x"]
    assert (response.headers["x-a"], response.headers["x-b"]) == ("own", "given")
