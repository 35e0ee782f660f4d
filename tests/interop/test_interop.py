"""The same small set of requests through three frameworks and three clients."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from . import django_site, fastapi_site, starlette_site
from .clients import Aiohttp, Client, Curl, Httpx

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
MEGABYTE = b"0123456789abcdef" * 65536
pytestmark = pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume")
SITES = {"starlette": (starlette_site, "on"), "fastapi": (fastapi_site, "on"), "django": (django_site, "auto")}


@dataclass
class Site:
    name: str
    url: str
    file: Path
    noted: list[Any]


@pytest.fixture(scope="module", params=list(SITES))
def site(request: pytest.FixtureRequest, serve_module: Callable[..., Any], tmp_path_factory: Any) -> Site:
    module, lifespan = SITES[request.param]
    file = tmp_path_factory.mktemp("site") / "data.bin"
    file.write_bytes(MEGABYTE * 2 + b"end")
    noted: list[str] = []
    server = serve_module(module.make(file, Noted(noted)), lifespan=lifespan)
    host, port = server.sockets[0].getsockname()[:2]
    return Site(request.param, f"http://{host}:{port}", file, noted)


class Noted:
    """Records the calls of the background task, which can be awaited."""

    def __init__(self, futures: list[Any]) -> None:
        self._futures = futures

    def set_result(self, value: str) -> None:
        self._futures[-1].set_result(value)


@pytest.fixture(params=["httpx", "aiohttp", "curl"])
def client(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Client]:
    if request.param == "curl":
        client: Client = Curl(request.getfixturevalue("curl"), tmp_path)
    else:
        client = Httpx() if request.param == "httpx" else Aiohttp()
    yield client
    client.close()


def test_page(site: Site, client: Client) -> None:
    for _ in range(2):
        reply = client.ask("GET", site.url + "/")
        assert reply.status == 200
        assert reply.headers["content-type"].startswith("text/html")
        assert b"&amp; friends</title>" in reply.body
        assert b"<li>0</li><li>1</li><li>2</li>" in reply.body


def test_form(site: Site, client: Client) -> None:
    page = client.ask("GET", site.url + "/form")
    token = re.search(rb'name="csrfmiddlewaretoken" value="(\w+)"', page.body)
    fields = b"name=Ada" + (b"&csrfmiddlewaretoken=" + token[1] if token else b"")
    posted = client.ask("POST", site.url + "/form", fields, FORM)
    assert (posted.status, posted.headers["location"]) == (303, "/hello?name=Ada")
    assert client.ask("GET", site.url + posted.headers["location"]).body == b"Hello Ada"


@pytest.mark.parametrize("site", ["django"], indirect=True, scope="module")
def test_form_without_its_token_is_refused(site: Site, client: Client) -> None:
    assert client.ask("POST", site.url + "/form", b"name=Eve", FORM).status == 403


def test_json(site: Site, client: Client) -> None:
    body = {"name": "\u00e4", "list": [1, 2.5, None]}
    reply = client.ask("POST", site.url + "/json", json.dumps(body).encode(), {"Content-Type": "application/json"})
    assert reply.status == 200
    assert json.loads(reply.body) == {"got": body, "agent": True}


def test_stream(site: Site, client: Client) -> None:
    reply = client.ask("GET", site.url + "/stream")
    assert reply.headers["transfer-encoding"] == "chunked"
    assert reply.body.decode().splitlines() == [f"line {number}" for number in range(50)]


def test_upload_of_5_megabytes(site: Site, client: Client) -> None:
    body = MEGABYTE * 5
    reply = client.ask("POST", site.url + "/upload", body, {"Content-Type": "application/octet-stream"})
    assert reply.status == 200
    assert json.loads(reply.body) == {"size": len(body), "sha256": hashlib.sha256(body).hexdigest()}


def test_chunked_upload_with_curl(site: Site, tmp_path: Path, curl: str) -> None:
    headers = {"Transfer-Encoding": "chunked", "Expect": "100-continue", "Content-Type": "application/octet-stream"}
    reply = Curl(curl, tmp_path).ask("POST", site.url + "/upload", MEGABYTE, headers)
    assert json.loads(reply.body)["sha256"] == hashlib.sha256(MEGABYTE).hexdigest()


def test_download(site: Site, client: Client) -> None:
    reply = client.ask("GET", site.url + "/download")
    assert reply.status == 200
    assert 'filename="data.bin"' in reply.headers["content-disposition"]
    assert reply.body == site.file.read_bytes()


@pytest.mark.parametrize("client", ["httpx", "aiohttp"], indirect=True)
@pytest.mark.parametrize("site", ["starlette", "django"], indirect=True, scope="module")
def test_head(site: Site, client: Client) -> None:
    reply = client.ask("HEAD", site.url + "/download")
    assert (reply.status, reply.headers["content-length"], reply.body) == (200, str(site.file.stat().st_size), b"")


def test_not_found(site: Site, client: Client) -> None:
    assert client.ask("GET", site.url + "/missing").status == 404


@pytest.mark.parametrize("site", ["starlette", "fastapi"], indirect=True, scope="module")
def test_background_task(site: Site, client: Client) -> None:
    site.noted.append(Future())
    assert client.ask("GET", site.url + "/background").body == b"soon"
    assert site.noted[-1].result(10) == "after the response"


@pytest.mark.parametrize("site", ["starlette", "fastapi"], indirect=True, scope="module")
def test_state_of_the_lifespan(site: Site, client: Client) -> None:
    assert json.loads(client.ask("GET", site.url + "/state").body) == {"pool": "from the lifespan"}
