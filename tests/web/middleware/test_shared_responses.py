"""A response that is made once and returned for every request: what is added for one visitor stays with the visitor."""

import asyncio
import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from atlas import (
    Application,
    AsyncRequest,
    FileResponse,
    HTMLResponse,
    Middleware,
    NotFound,
    Request,
    Response,
    Route,
    StreamingResponse,
)
from atlas.types import Receive, Scope, Send
from atlas.web.middleware.compress import Compress
from atlas.web.middleware.conditional_get import ConditionalGet
from atlas.web.middleware.cors import CORS
from atlas.web.middleware.csrf import CSRF
from atlas.web.middleware.rate_limit import RateLimit
from atlas.web.middleware.request_id import RequestID
from atlas.web.middleware.security_headers import SecurityHeaders
from atlas.web.middleware.sessions import Sessions
from tests.web.conftest import REQUEST
from tests.web.transports import transport

Ask = Callable[..., httpx.Response]
KEY = "a key that is long enough"
TEXT = "<h1>hello</h1>" * 100


class Tagged(HTMLResponse):
    """A response with state of its own, which its ``raw_headers`` show."""

    def __init__(self, content: str) -> None:
        super().__init__(content)
        self.tags: list[str] = []


def name_session(request: Any) -> None:
    if "name" in request.query:
        request.session["name"] = request.query["name"]


def controllers(page: Response) -> dict[str, Any]:
    def sync(request: Request) -> Response:
        name_session(request)
        return page

    async def at_once(request: AsyncRequest) -> Response:
        name_session(request)
        return page

    async def later(request: AsyncRequest) -> Response:
        await asyncio.sleep(0)
        return sync(request)  # type: ignore[arg-type]  # it asks for nothing that an AsyncRequest would have to wait for

    def status(request: Request) -> Any:
        name_session(request)
        return page, 200, {"x-own": "1"}

    return {"sync": sync, "at_once": at_once, "later": later, "status": status}


def before_after(page: Response) -> tuple[Any, list[tuple[bytes, bytes]], Any]:
    return page.status_code, list(page.raw_headers), page.body


@pytest.mark.parametrize("kind", ["sync", "at_once", "later", "status"])
@pytest.mark.parametrize("run", ["auto", "thread", "inline"])
def test_no_visitor_gets_the_cookies_of_another(ask: Ask, kind: str, run: str) -> None:
    if run != "auto" and kind in ("at_once", "later"):
        pytest.skip("only a def has a run mode")
    page = HTMLResponse(TEXT)
    kept = before_after(page)
    route = Route("/", controllers(page)[kind], middleware=[Sessions(KEY), CSRF(KEY)], run=run)  # type: ignore[arg-type]
    app = Application([route])
    for name in ("alice", "", "bob"):
        response = ask(app, "GET", "/", params={"name": name} if name else {})
        cookies = response.headers.get_list("set-cookie")
        assert len(cookies) == bool(name), f"{name}: {cookies}"
        assert response.text == TEXT
        assert response.headers.get_list("x-own") == ["1"] * (kind == "status")
    assert before_after(page) == kept


def test_each_answer_is_made_from_the_page_as_it_is(ask: Ask) -> None:
    page = HTMLResponse(TEXT)
    kept = before_after(page)
    box = [
        CORS(["https://a.test"], allow_credentials=True),
        RateLimit("1000/minute"),
        RequestID(),
        SecurityHeaders(),
        Compress(codings=["gzip"]),
        ConditionalGet(),
    ]
    app = Application([Route("/", lambda request: page)], middleware=box)
    first = ask(app, "GET", "/", headers={"origin": "https://a.test", "accept-encoding": "gzip"})
    assert first.headers["content-encoding"] == "gzip"
    assert ask(app, "GET", "/", headers={"if-none-match": first.headers["etag"]}).status_code == 304
    other = ask(app, "GET", "/", headers={"origin": "https://b.test", "accept-encoding": "identity"})
    assert (other.status_code, other.text) == (200, TEXT)
    assert "access-control-allow-origin" not in other.headers
    assert "content-encoding" not in other.headers
    assert other.headers["content-security-policy"] != first.headers["content-security-policy"]
    assert other.headers["x-request-id"] != first.headers["x-request-id"]
    assert len(other.headers.get_list("ratelimit")) == 1
    assert before_after(page) == kept


def test_a_middleware_may_change_what_call_next_returns(ask: Ask) -> None:
    page, maintenance, error_page = HTMLResponse("page"), HTMLResponse("soon"), HTMLResponse("missing", 404)
    kept = [before_after(each) for each in (page, maintenance, error_page)]

    def sync_mark(request: Request, call_next: Any) -> Response:
        response: Response = call_next(request)
        response.headers.add("x-mark", request.query["mark"])
        response.set_cookie("sync", request.query["mark"])
        return response

    async def async_mark(request: AsyncRequest, call_next: Any) -> Response:
        response: Response = await call_next(request)
        response.headers.add("x-mark", request.query["mark"])
        response.status_code += 1
        response.body += b"!"
        return response

    def replace(request: Request, call_next: Any) -> Response:
        response: Response = call_next(request)
        return maintenance if request.query.get("closed") else response

    def missing(request: Request) -> str:
        raise NotFound

    app = Application(
        [Route("/", lambda request: page), Route("/missing", missing)],
        middleware=[async_mark, sync_mark, replace],
        exception_handlers={404: lambda request, error: error_page},
    )
    for mark in "abc":
        for path, text, status in (("/", "page!", 201), ("/missing", "missing!", 405), ("/?closed=1", "soon!", 201)):
            response = ask(app, "GET", f"{path}{'&' if '?' in path else '?'}mark={mark}")
            assert (response.status_code, response.text) == (status, text)
            assert response.headers.get_list("x-mark") == [mark, mark]
    assert [before_after(each) for each in (page, maintenance, error_page)] == kept


def test_a_response_that_a_hook_keeps_or_returns(ask: Ask) -> None:
    cache: dict[str, Response] = {}

    class Cache:
        def before(self, request: Request) -> Response | None:
            return cache.get(request.path)

        async def after(self, request: AsyncRequest, response: Response) -> Response | None:
            if request.path in cache:
                return cache[request.path]
            cache[request.path] = response
            return None

    def page(request: Request) -> str:
        return "page"

    class Mark:
        def after(self, request: Request, response: Response) -> None:
            response.headers.add("x-mark", "1")

    def outside(request: Request, call_next: Any) -> Response:
        response: Response = call_next(request)
        response.headers.add("x-outside", "1")
        return response

    for middleware in ([Mark(), Cache()], [outside, Cache()], [Mark(), outside, Cache()]):
        cache.clear()
        app = Application([Route("/", page)], middleware=middleware)
        for _ in range(3):
            response = ask(app, "GET", "/")
            assert response.headers.get_list("x-mark") in ([], ["1"])
            assert response.headers.get_list("x-outside") in ([], ["1"])
            assert [name for name, _ in cache["/"].raw_headers] == [b"content-type"]


def test_fields_of_an_exception_stay_with_its_answer(ask: Ask) -> None:
    page = HTMLResponse("no")

    def refuse(request: Request) -> str:
        raise NotFound(headers={"x-visitor": request.query["name"]})

    app = Application([Route("/", refuse)], exception_handlers={404: lambda request, error: page})
    assert [ask(app, "GET", "/", params={"name": name}).headers["x-visitor"] for name in "ab"] == ["a", "b"]
    assert [name for name, _ in page.raw_headers] == [b"content-type"]


class AddField:
    """An ASGI middleware that changes the list of fields in place, as Starlette's do."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def add(event: Any) -> None:
            if event["type"] == "http.response.start":
                event["headers"].append((b"x-asgi", b"1"))
            await send(event)

        await self.app(scope, receive, add)


@pytest.mark.parametrize("kind", ["stream", "file", "page", "application"])
def test_streams_files_and_applications(ask: Ask, kind: str, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_bytes(TEXT.encode())

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html")]})
        await send({"type": "http.response.body", "body": TEXT.encode()})

    made: Any = {
        "stream": lambda: StreamingResponse([TEXT]),
        "file": lambda: FileResponse(tmp_path / "text.txt"),
        "page": lambda: HTMLResponse(TEXT),
        "application": lambda: application,
    }[kind]()
    kept = list(made.raw_headers) if isinstance(made, Response) else None

    def page(request: Request) -> Any:
        request.session["name"] = "x"
        return made

    for around in ([], [Middleware(AddField)]):
        app = Application([Route("/", page)], middleware=[*around, Sessions(KEY), Compress(codings=["gzip"])])
        for coding in ("gzip", "identity", "gzip"):
            response = ask(app, "GET", "/", headers={"accept-encoding": coding})
            assert response.text == TEXT
            assert response.headers.get("content-encoding", "identity") == coding
            assert response.headers.get_list("x-asgi") == ["1"] * len(around)
            assert len(response.headers.get_list("set-cookie")) == 1
    assert kept is None or made.raw_headers == kept


def test_a_file_response_that_is_made_once_follows_its_file(ask: Ask, tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_bytes(b"old")
    file = FileResponse(path)
    app = Application([Route("/", lambda request: file)])
    tag = ask(app, "GET", "/").headers["etag"]
    assert ask(app, "GET", "/", headers={"if-none-match": tag}).status_code == 304
    path.write_bytes(b"new content")
    response = ask(app, "GET", "/", headers={"if-none-match": tag})
    assert (response.status_code, response.content) == (200, b"new content")
    assert "etag" not in file.headers


def test_a_class_with_attributes_of_its_own(ask: Ask) -> None:
    page = Tagged(TEXT)

    def tag(request: Request, call_next: Any) -> Response:
        response = call_next(request)
        response.tags.append("seen")
        response.headers["x-tags"] = ",".join(response.tags)
        return copy.copy(response)

    app = Application([Route("/", lambda request: page)], middleware=[tag])
    assert [ask(app, "GET", "/").headers["x-tags"] for _ in range(2)] == ["seen", "seen"]
    assert page.tags == []


def test_a_new_response_is_not_copied() -> None:
    """A response that only the request has passes every kind of step as the same object.

    Behind an ``await`` that waited, and behind a greenlet that did, it is copied once: they still refer to it.
    """
    seen: list[int] = []

    class Plain:
        def after(self, request: Request, response: Response) -> None:
            seen.append(id(response))

    class Waiting:
        async def after(self, request: AsyncRequest, response: Response) -> None:
            await asyncio.sleep(0)
            seen.append(id(response))

    def sync(request: Request, call_next: Any) -> Response:
        response: Response = call_next(request)
        seen.append(id(response))
        return response

    async def waiting(request: AsyncRequest, call_next: Any) -> Response:
        response: Response = await call_next(request)
        seen.append(id(response))
        return response

    def made(request: Any) -> Response:
        response = HTMLResponse("page")
        seen.append(id(response))
        return response

    async def at_once(request: AsyncRequest) -> Response:
        return made(request)

    chains = {made: [[Plain()], [Waiting()], [sync], [waiting], [Plain(), waiting, Plain(), sync, Plain()]]}
    chains[at_once] = [[Plain()], [Waiting()], [waiting], [Plain(), Waiting(), waiting, Plain()]]
    for controller, middlewares in chains.items():
        for middleware in middlewares:
            seen.clear()
            transport.call(Application([Route("/", controller)], middleware=middleware), [REQUEST])
            assert len(seen) == 1 + len(middleware)
            assert len(set(seen)) == 1, (controller, middleware)


def test_a_list_of_fields_that_is_set_stays_as_it_is(ask: Ask) -> None:
    fields = [(b"content-type", b"text/plain")]

    def page(request: Request) -> Response:
        request.session["name"] = request.query["name"]
        response = Response(b"")
        response.raw_headers = fields
        return response

    app = Application([Route("/", page)], middleware=[Sessions(secret_key=KEY)])
    cookies = [ask(app, "GET", f"/?name={name}").headers.get_list("set-cookie") for name in ("ada", "bob")]
    assert [len(each) for each in cookies] == [1, 1]
    assert fields == [(b"content-type", b"text/plain")]
