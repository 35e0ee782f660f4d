"""An Atlas application in development: its pages get the script, whatever middleware does to them."""

import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from atlas import Application, Mount, Route, Server, Static, StreamingResponse, TestClient, render
from atlas.gateway.page_refresh import SCRIPT, PageRefresh
from atlas.types import Receive, Scope, Send
from atlas.web.middleware.compress import Compress
from atlas.web.middleware.conditional_get import ConditionalGet
from atlas.web.middleware.security_headers import SecurityHeaders

BROWSER = {"accept": "text/html", "accept-encoding": "gzip"}
PAGES = PageRefresh()


async def mounted(scope: Scope, receive: Receive, send: Send) -> None:
    page = b"<p>mounted</p>" * 50
    headers = [(b"content-type", b"text/html"), (b"content-length", b"%d" % len(page))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": page})


def stream(request: Any) -> StreamingResponse:
    return StreamingResponse(iter([b"<p>", b"a"]), content_type="text/html")


def make(folder: Path, **options: Any) -> Application:
    (folder / "templates").mkdir(exist_ok=True)
    (folder / "templates/home.html").write_text("<!doctype html><body>" + "<p>home</p>" * 100 + "</body>")
    (folder / "page.html").write_text("<body>" + "<p>static</p>" * 50_000 + "</body>")
    (folder / "small.html").write_text("<body>small</body>")
    routes = [
        Route("/", lambda request: render(request, "home.html")),
        Route("/text", lambda request: "hello"),
        Route("/json", lambda request: {"a": 1}),
        Route("/stream", stream),
        Route("/bad", lambda request: 1 // 0),
        Mount("/mounted", mounted),
        Static("/static", folder),
    ]
    app = Application(routes, config={"template_dirs": [str(folder / "templates")]}, **options)
    app.refresh_pages(PAGES)
    return app


@pytest.fixture(params=["native", "asgi"])
def client(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[TestClient]:
    app = make(tmp_path, debug=True, middleware=[Compress(minimum=1), ConditionalGet()])
    with TestClient(app, over_socket=request.param == "native", raise_server_exceptions=False) as client:
        yield client


def scripts(text: str) -> int:
    return text.count('<script src="/_atlas/refresh.js"')


@pytest.mark.parametrize(
    ("path", "count"),
    [
        ("/", 1),
        ("/text", 1),
        ("/static/page.html", 1),
        ("/static/small.html", 1),
        ("/mounted/", 1),
        ("/missing", 1),
        ("/bad", 1),
        ("/json", 0),
        ("/stream", 0),
    ],
)
def test_which_responses_get_the_script(client: TestClient, path: str, count: int) -> None:
    response = client.get(path, headers=BROWSER)
    assert scripts(response.text) == count
    assert response.headers.get("cache-control", "") == ("no-store" if count else "")
    if count:
        assert "etag" not in response.headers or path.startswith("/static")
        assert f'data-version="{PAGES.version}"' in response.text
        again = client.get(path, headers={**BROWSER, "if-none-match": response.headers.get("etag", "*")})
        assert again.status_code == response.status_code


@pytest.mark.parametrize(
    "headers", [{"accept": "*/*"}, {**BROWSER, "hx-request": "true"}, {**BROWSER, "sec-fetch-dest": "empty"}]
)
def test_a_part_of_a_page_is_as_it_was(client: TestClient, headers: dict[str, str]) -> None:
    response = client.get("/", headers=headers)
    assert scripts(response.text) == 0
    if "accept-encoding" in headers:
        assert response.headers["content-encoding"] == "gzip"


def test_the_nonce_of_the_policy(tmp_path: Path) -> None:
    with TestClient(make(tmp_path, middleware=[SecurityHeaders()])) as client:
        response = client.get("/", headers=BROWSER)
        (nonce,) = re.findall(r"script-src 'self' 'nonce-([^']+)'", response.headers["content-security-policy"])
        assert f' nonce="{nonce}" async></script></body>' in response.text


def test_a_policy_that_forbids_it(tmp_path: Path) -> None:
    headers = SecurityHeaders(csp={"default-src": ("'none'",)})
    with TestClient(make(tmp_path, middleware=[headers])) as client:
        response = client.get("/", headers=BROWSER)
        assert scripts(response.text) == 0
        assert response.headers["content-security-policy"] == "default-src 'none'"
        assert "cache-control" not in response.headers


def test_the_policy_of_error_pages_allows_the_script(client: TestClient) -> None:
    for path in ("/bad", "/missing"):
        policy = client.get(path, headers=BROWSER).headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; style-src 'sha256-")
        assert policy.endswith("; script-src 'self'; connect-src 'self'")


def test_the_script_and_the_events(client: TestClient) -> None:
    response = client.get("/_atlas/refresh.js")
    assert (response.content, response.headers["content-type"]) == (SCRIPT, "text/javascript")


def test_the_server_ends_the_events_when_it_stops(tmp_path: Path) -> None:
    server = Server(make(tmp_path), port=0, access_log=False)
    pages = server.refresh_pages()
    with server.run_in_thread(), socket.create_connection(server.sockets[0].getsockname(), 30) as client:
        client.sendall(b"GET /_atlas/refresh HTTP/1.1\r\nHost: a\r\n\r\n")
        data = b""
        while f"data: {pages.version}".encode() not in data:
            data += client.recv(4096)
        assert b"content-type: text/event-stream" in data
        server.stop()
        while more := client.recv(4096):
            data += more
        assert data.endswith(b"0\r\n\r\n")


def test_without_development_nothing_is_added(tmp_path: Path) -> None:
    app = Application([Route("/", lambda request: "hello")])
    with TestClient(app) as client:
        assert client.get("/", headers=BROWSER).text == "hello"
        assert client.get("/_atlas/refresh.js").status_code == 404
