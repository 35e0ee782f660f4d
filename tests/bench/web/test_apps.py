"""The same answers, whatever an application is written in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Any

import pytest

from bench.side_by_side.client import Answer
from bench.side_by_side.web.endpoints import ENDPOINTS, Endpoint

MODULES = ("atlas", "atlas_async", "starlette", "fastapi", "falcon", "blacksheep", "litestar")


def makers(module: str) -> Any:
    pytest.importorskip(module.removesuffix("_async"))
    return import_module(f"bench.side_by_side.web.apps.{module}")


@asynccontextmanager
async def alive(app: Any) -> AsyncIterator[None]:
    """The application's life, as a server begins and ends it."""
    events: asyncio.Queue[Any] = asyncio.Queue()
    said: asyncio.Queue[Any] = asyncio.Queue()
    scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
    life = asyncio.ensure_future(app(scope, events.get, said.put))
    events.put_nowait({"type": "lifespan.startup"})
    assert (await said.get())["type"] == "lifespan.startup.complete"
    yield
    events.put_nowait({"type": "lifespan.shutdown"})
    assert (await said.get())["type"] == "lifespan.shutdown.complete"
    await life


async def ask(app: Any, endpoint: Endpoint) -> Answer:
    fields = [("Host", "site.test"), *endpoint.headers, ("Content-Length", str(len(endpoint.body)))]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": endpoint.method,
        "scheme": "http",
        "path": endpoint.path,
        "raw_path": endpoint.path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode()) for name, value in fields],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8000),
        "state": {},
        "extensions": {},
    }
    sent: list[Any] = []
    bodies = [{"type": "http.request", "body": endpoint.body, "more_body": False}]

    async def receive() -> Any:
        return bodies.pop() if bodies else await asyncio.Future()

    async def send(event: Any) -> None:
        sent.append(event)

    async with alive(app):
        await app(scope, receive, send)
    headers = {bytes(name).decode().lower(): bytes(value).decode() for name, value in sent[0]["headers"]}
    return Answer(sent[0]["status"], headers, b"".join(bytes(event.get("body", b"")) for event in sent[1:]))


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.name)
@pytest.mark.parametrize("module", MODULES)
def test_every_application_gives_the_one_right_answer(module: str, endpoint: Endpoint) -> None:
    app = getattr(makers(module), endpoint.app)()
    answer = asyncio.run(ask(app, endpoint))
    assert answer.status == 200
    assert answer.headers["content-type"].partition(";")[0] == endpoint.content_type
    assert endpoint.is_right(answer.body), answer.body


def test_starlettes_other_five_answer_as_well() -> None:
    (endpoint,) = [each for each in ENDPOINTS if each.name == "five"]
    assert endpoint.is_right(asyncio.run(ask(makers("starlette").five_pure(), endpoint)).body)


def test_the_page_is_escaped_and_has_its_rows() -> None:
    (endpoint,) = [each for each in ENDPOINTS if each.name == "page"]
    assert endpoint.answer.count(b"<tr><td>") == 20
    assert b"Lake &lt;20&gt;</td><td>250.0 m" in endpoint.answer
