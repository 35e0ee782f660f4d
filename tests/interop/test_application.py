"""What an application does at the edge of a server, asked by other people's clients: httpx and aiohttp."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import pytest

from atlas import (
    Application,
    AsyncRequest,
    EventSourceResponse,
    FileResponse,
    Request,
    Route,
    StreamingResponse,
    in_thread,
)
from tests.web.transports.servers import SERVERS, LoopThread, Served

from .clients import Aiohttp, Client, Httpx

PATIENCE = 10
LARGE = bytes(range(256)) * 4096
LIMIT = 200_000


@dataclass
class Site:
    """A site whose controllers tell what becomes of them."""

    file: Path
    url: str = ""
    closed: Future[str] = field(default_factory=Future)
    gate: threading.Event = field(default_factory=threading.Event)
    done: Future[str] = field(default_factory=Future)

    def application(self) -> Application:
        routes = [
            Route("/file", self.download),
            Route("/json", lambda request: {"lake": "Como"}),
            Route("/background", self.background),
            Route("/state", lambda request: request.state.pool),
            Route("/upload", self.upload, ["POST"], limit_body=LIMIT),
            Route("/sync-upload", self.sync_upload, ["POST"], limit_body=LIMIT),
            Route("/endless", self.endless),
            Route("/events", self.events),
        ]
        self.app = Application(routes, lifespan=self.life)
        return self.app

    @asynccontextmanager
    async def life(self, app: Application) -> AsyncIterator[dict[str, Any]]:
        yield {"pool": "from the lifespan"}
        self.done.cancel()

    def download(self, request: Request) -> FileResponse:
        return FileResponse(self.file)

    def background(self, request: Request) -> str:
        self.app.background(self.job)
        return "soon"

    async def job(self) -> None:
        await in_thread(self.gate.wait, PATIENCE)
        self.done.set_result("after the response")

    async def upload(self, request: AsyncRequest) -> str:
        return f"{len(await request.body())} bytes"

    def sync_upload(self, request: Request) -> str:
        return f"{len(request.body())} bytes"

    async def pieces(self, piece: Any) -> AsyncIterator[Any]:
        try:
            while True:
                yield piece
                await asyncio.sleep(0)  # hypercorn's send never waits for a client that has left
        finally:
            self.closed.set_result("closed")

    async def endless(self, request: AsyncRequest) -> StreamingResponse:
        return StreamingResponse(self.pieces(b"x" * 1000))

    async def events(self, request: AsyncRequest) -> EventSourceResponse:
        return EventSourceResponse(self.pieces({"event": "tick", "data": [1]}))


@pytest.fixture(scope="module")
def loop_thread() -> LoopThread:
    return LoopThread()


@pytest.fixture(params=SERVERS)
def site(request: pytest.FixtureRequest, loop_thread: LoopThread, tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path / "large.bin")
    site.file.write_bytes(LARGE)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        asked = Served(site.application(), listener)
        site.url = "http://{}:{}".format(*asked.address)
        with loop_thread.serving(SERVERS[request.param], asked):
            yield site


@pytest.fixture(params=[Httpx, Aiohttp])
def client(request: pytest.FixtureRequest, site: Site) -> Iterator[Client]:
    client: Client = request.param()
    yield client
    client.close()


def test_a_file_with_or_without_the_servers_help(site: Site, client: Client) -> None:
    whole = client.ask("GET", site.url + "/file")
    assert (whole.status, whole.body, whole.headers["content-length"]) == (200, LARGE, str(len(LARGE)))
    part = client.ask("GET", site.url + "/file", headers={"range": "bytes=5-100004"})
    assert (part.status, part.body) == (206, LARGE[5:100005])
    again = client.ask("GET", site.url + "/file", headers={"if-none-match": whole.headers["etag"]})
    assert (again.status, again.body) == (304, b"")


@pytest.mark.parametrize("path", ["/file", "/json", "/state"])
def test_head_has_the_fields_of_get(site: Site, client: Client, path: str) -> None:
    get, head = client.ask("GET", site.url + path), client.ask("HEAD", site.url + path)
    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-length"] == str(len(get.body))
    assert client.ask("GET", site.url + path).body == get.body  # the connection is still in step


def test_a_background_task_starts_after_the_response(site: Site, client: Client) -> None:
    assert client.ask("GET", site.url + "/background").body == b"soon"
    assert not site.done.done()
    site.gate.set()
    assert site.done.result(PATIENCE) == "after the response"


def test_what_the_lifespan_has_opened_is_there(site: Site, client: Client) -> None:
    for _ in range(2):
        assert client.ask("GET", site.url + "/state").body == b"from the lifespan"


@pytest.mark.parametrize("path", ["/upload", "/sync-upload"])
def test_an_upload_up_to_the_limit(site: Site, client: Client, path: str) -> None:
    for size, status in ((LIMIT, 200), (LIMIT + 1, 413), (10, 200)):
        reply = client.ask("POST", site.url + path, b"x" * size)
        assert reply.status == status
        assert reply.body == b"%d bytes" % size or status == 413


@pytest.mark.parametrize("path", ["/upload", "/sync-upload"])
def test_an_expectation_is_answered_before_the_upload(site: Site, path: str) -> None:
    with Aiohttp() as client:
        assert client.post_expecting_100(site.url + path, b"x" * LIMIT) == (200, b"%d bytes" % LIMIT)
        assert client.post_expecting_100(site.url + path, b"x" * (LIMIT + 1))[0] == 413


def test_a_stream_ends_when_httpx_leaves(site: Site) -> None:
    with httpx.stream("GET", site.url + "/endless", trust_env=False, timeout=PATIENCE) as response:
        assert response.status_code == 200
        assert next(response.iter_raw()).startswith(b"x")
    assert site.closed.result(PATIENCE) == "closed"


def test_events_end_when_aiohttp_leaves(site: Site) -> None:
    async def listen(session: aiohttp.ClientSession) -> list[bytes]:
        async with session.get(site.url + "/events") as response:
            assert response.content_type == "text/event-stream"
            return [await response.content.readline() for _ in range(6)]

    with Aiohttp() as client:
        assert client.use(listen) == [b"event: tick\n", b"data: [1]\n", b"\n"] * 2
        assert site.closed.result(PATIENCE) == "closed"
