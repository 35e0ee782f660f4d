"""Third-party ASGI applications inside of an application, behind real servers: tasks, ends and failures."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import anyio
import h11
import pytest

from atlas import Application, Middleware, Mount, Response, Route, TextResponse
from tests.web.transports.servers import SERVERS, LoopThread, Served

PATIENCE = 10
VARIABLE: ContextVar[str] = ContextVar("variable", default="fresh")
Scope = Any


@pytest.fixture(scope="module")
def thread() -> LoopThread:
    return LoopThread()


@pytest.fixture(params=["native", "asgi", "uvicorn"])
def serve(request: pytest.FixtureRequest, thread: LoopThread) -> Any:
    @contextmanager
    def serving(app: Application) -> Iterator[tuple[str, int]]:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            asked = Served(app, listener)
            with thread.serving(SERVERS[request.param], asked):
                yield asked.address

    return serving


def ask(address: tuple[str, int], path: str, body: bytes = b"") -> tuple[int, dict[str, str], bytes]:
    """Status, fields and body of the answer, as h11 understands it."""
    with socket.create_connection(address, PATIENCE) as peer:
        reader = h11.Connection(h11.CLIENT)
        fields = [("host", "127.0.0.1"), ("content-length", str(len(body))), ("connection", "close")]
        peer.sendall(reader.send(h11.Request(method="POST" if body else "GET", target=path, headers=fields)) or b"")
        peer.sendall((reader.send(h11.Data(body)) or b"") + (reader.send(h11.EndOfMessage()) or b""))
        status, headers, data = 0, {}, b""
        while True:
            event = reader.next_event()
            if event is h11.NEED_DATA:
                reader.receive_data(peer.recv(65536))
            elif isinstance(event, h11.Response):
                status = event.status_code
                headers = {name.decode(): value.decode() for name, value in event.headers}
            elif isinstance(event, h11.Data):
                data += event.data
            elif isinstance(event, h11.EndOfMessage):
                return status, headers, data


class Mark:
    def after(self, request: Any, response: Response) -> None:
        response.headers["x-mark"] = str(response.status_code)


def as_of(spec_version: str, app: Any) -> Any:
    """Wrap an application so that its scope has another version of the specification."""

    async def wrapped(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, "asgi": {**scope["asgi"], "spec_version": spec_version}}, receive, send)

    return wrapped


def starlette(*, middleware: bool = False) -> Any:
    """A site of Starlette with streams and background work; ``middleware``: with a BaseHTTPMiddleware around."""
    applications = pytest.importorskip("starlette.applications")
    from starlette.background import BackgroundTask
    from starlette.middleware import Middleware as Around
    from starlette.middleware.base import BaseHTTPMiddleware
    from starlette.responses import PlainTextResponse, StreamingResponse
    from starlette.routing import Route as Page

    async def stream(request: Any) -> Any:
        async def pieces() -> Any:
            for number in range(20):
                await asyncio.sleep(0)
                yield f"{number} "

        return StreamingResponse(pieces(), media_type="text/plain")

    async def echo(request: Any) -> Any:
        return PlainTextResponse((await request.body()).upper())

    async def fail(request: Any) -> Any:
        raise LookupError("of the mounted application")

    async def background(request: Any) -> Any:
        return PlainTextResponse("background", background=BackgroundTask(asyncio.sleep, 0))

    async def slow(request: Any) -> Any:
        await asyncio.sleep(3600)

    async def add(request: Any, call_next: Any) -> Any:
        response = await call_next(request)
        response.headers["x-base"] = "1"
        return response

    pages = {"/stream": stream, "/echo": echo, "/fail": fail, "/background": background, "/slow": slow}
    return applications.Starlette(
        routes=[Page(path, page, methods=["GET", "POST"]) for path, page in pages.items()],
        middleware=[Around(BaseHTTPMiddleware, dispatch=add)] if middleware else [],
    )


STREAM = "".join(f"{number} " for number in range(20)).encode()


@pytest.mark.parametrize("middleware", [False, True])
@pytest.mark.parametrize("spec_version", ["2.3", "2.5"])
def test_starlette(serve: Any, spec_version: str, middleware: bool) -> None:
    inner = as_of(spec_version, starlette(middleware=middleware))
    with serve(Application([Mount("/app", inner)], middleware=[Mark()])) as address:
        for path, body, answer in (
            ("/stream", b"", STREAM),
            ("/stream", b"body", STREAM),
            ("/echo", b"text", b"TEXT"),
            ("/background", b"", b"background"),
        ):
            status, headers, data = ask(address, f"/app{path}", body)
            assert (status, data) == (200, answer), path
            assert headers["x-mark"] == "200"
            assert headers.get("x-base") == ("1" if middleware else None)
        status, headers, _ = ask(address, "/app/fail")
        assert (status, headers["x-mark"]) == (500, "500")


async def send_from_children(scope: Any, receive: Any, send: Any) -> None:
    """As sse-starlette does: one task sends, another one waits for the client to leave."""
    async with anyio.create_task_group() as group:

        async def listen() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass
            group.cancel_scope.cancel()

        async def stream() -> None:
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
            for piece in (b"one ", b"two"):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                await anyio.sleep(0)
            await send({"type": "http.response.body", "body": b""})
            group.cancel_scope.cancel()

        group.start_soon(listen)
        group.start_soon(stream)


def test_child_tasks_may_send(serve: Any) -> None:
    routes = [Mount("/mounted", send_from_children), Route("/result", lambda request: send_from_children)]
    with serve(Application(routes, middleware=[Mark(), Middleware(lambda app: app)])) as address:
        for path in ("/mounted/", "/result"):
            status, headers, data = ask(address, path)
            assert (status, headers["x-mark"], data) == (200, "200", b"one two")


async def anyio_limit(request: Any, call_next: Any) -> Any:
    with anyio.fail_after(request.app.state.seconds):
        return await call_next(request)


async def asyncio_limit(request: Any, call_next: Any) -> Any:
    async with asyncio.timeout(request.app.state.seconds):
        return await call_next(request)


class ASGILimit:
    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        with anyio.fail_after(scope["atlas.request"].app.state.seconds):
            await self.app(scope, receive, send)


@pytest.mark.parametrize("limit", [anyio_limit, asyncio_limit, Middleware(ASGILimit)])
def test_a_time_limit_around_an_application(serve: Any, limit: Any) -> None:
    app = Application([Mount("/app", starlette(middleware=True))], middleware=[Mark(), limit])
    app.state.seconds = PATIENCE
    with serve(app) as address:
        assert ask(address, "/app/stream")[::2] == (200, STREAM)
        assert ask(address, "/app/echo", b"text")[::2] == (200, b"TEXT")
        app.state.seconds = 0.02
        status, headers, _ = ask(address, "/app/slow")
        assert (status, headers["x-mark"]) == (500, "500")
        app.state.seconds = PATIENCE
        assert ask(address, "/app/stream")[::2] == (200, STREAM), "the next request is not disturbed"


def test_django(serve: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("django")
    from . import django_site

    monkeypatch.setattr(django_site, "FILE", None)  # one per process, which make() sets: it is put back afterwards
    file = tmp_path / "data.bin"
    file.write_bytes(bytes(range(256)) * 1000)
    with serve(Application([Mount("/", django_site.make(file, None))], middleware=[Mark()])) as address:
        status, headers, data = ask(address, "/stream")
        assert (status, headers["x-mark"], data.count(b"\n")) == (200, "200", 50)
        assert b'"size": 300000' in ask(address, "/upload", b"x" * 300_000)[2]
        assert ask(address, "/download")[::2] == (200, file.read_bytes())
        assert ask(address, "/nothing")[0] == 404


class Watched:
    """An application that notes how it ends; known in the test's thread."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.started, self.ended = threading.Event(), threading.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        try:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"first", "more_body": True})
            self.started.set()
            while (await receive())["type"] != "http.disconnect":
                pass
            self.seen.append("disconnect")
        except OSError:
            self.seen.append("send")
            self.seen.append((await receive())["type"])
            raise
        finally:
            await asyncio.sleep(0.01)
            self.seen.append("finally")
            self.ended.set()


def test_an_application_whose_response_is_replaced_is_closed(serve: Any) -> None:
    watched = Watched()

    class Replace:
        def after(self, request: Any, response: Response) -> Response:
            return TextResponse("another")

    with serve(Application([Mount("/app", watched)], middleware=[Replace()])) as address:
        assert ask(address, "/app/")[::2] == (200, b"another")
        assert watched.ended.wait(PATIENCE)
    assert watched.seen == ["send", "http.disconnect", "finally"]


def test_an_application_whose_middleware_fails_is_closed(serve: Any) -> None:
    watched = Watched()

    async def fail(request: Any, call_next: Any) -> Any:
        await call_next(request)
        raise LookupError

    with serve(Application([Mount("/app", watched)], middleware=[Mark(), fail])) as address:
        assert ask(address, "/app/")[0] == 500
        assert watched.ended.wait(PATIENCE)
    assert watched.seen == ["send", "http.disconnect", "finally"]


def test_a_disconnect_ends_the_application(serve: Any) -> None:
    watched = Watched()
    with serve(Application([Mount("/app", watched)])) as address:
        with socket.create_connection(address, PATIENCE) as peer:
            peer.sendall(b"GET /app/ HTTP/1.1\r\nHost: a\r\n\r\n")
            assert watched.started.wait(PATIENCE)
        assert watched.ended.wait(PATIENCE)
    assert watched.seen[-1] == "finally"


def test_a_failure_before_the_start_is_an_error_page_and_after_it_a_cut(
    serve: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async def early(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            raise LookupError("early")

    async def late(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"first", "more_body": True})
            raise LookupError("late")

    app = Application([Mount("/early", early), Mount("/late", late)], middleware=[Mark()])
    with serve(app) as address, caplog.at_level(logging.ERROR):
        status, headers, _ = ask(address, "/early/")
        assert (status, headers["x-mark"]) == (500, "500")
        with pytest.raises(h11.RemoteProtocolError, match="peer closed connection"):
            ask(address, "/late/")
    assert "LookupError: early" in caplog.text
    assert "LookupError: late" in caplog.text


def test_context_variables(serve: Any) -> None:
    class Set:
        def before(self, request: Any) -> None:
            VARIABLE.set("hook")

        def after(self, request: Any, response: Response) -> None:
            response.headers["x-after"] = VARIABLE.get()

    class ASGISet:
        def __init__(self, app: Any) -> None:
            self.app = app

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            VARIABLE.set(VARIABLE.get() + " middleware")
            await self.app(scope, receive, send)

    async def mounted(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            VARIABLE.set(VARIABLE.get() + " mounted")
            await TextResponse(VARIABLE.get())(scope, receive, send)

    def show(request: Any) -> str:
        VARIABLE.set(VARIABLE.get() + " controller")
        return VARIABLE.get()

    async def show_later(request: Any) -> str:
        return show(request)

    routes = [Mount("/mounted", mounted), Route("/def", show), Route("/async", show_later)]
    with serve(Application(routes, middleware=[Set(), Middleware(ASGISet)])) as address:
        for path, last in (("/mounted/", "mounted"), ("/def", "controller"), ("/async", "controller")):
            _, headers, data = ask(address, path)
            assert data.decode() == headers["x-after"] == f"hook middleware {last}"
