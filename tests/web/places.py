"""Shared by the tests of every function and place: functions of both kinds that wait, and a server."""

from __future__ import annotations

import asyncio
import http.client
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from atlas import Application, AsyncRequest, Request, Route, TestClient, await_
from tests.web.transports.servers import SERVERS, LoopThread, Served

SECRET = "s" * 32
KINDS = ("def", "async def")
RUNS = ("auto", "inline", "greenlet", "thread", "async")
TRANSPORTS = ("in-process", *SERVERS)
TRACE: ContextVar[tuple[str, ...]] = ContextVar("trace", default=())
FORM = {"content-type": "application/x-www-form-urlencoded"}

Ask = Callable[..., tuple[int, dict[str, str], bytes]]


async def later(value: Any = None) -> Any:
    await asyncio.sleep(0)
    return value


def check(request: Any, form: Any) -> None:
    if request.method == "POST":
        assert form["a"] == "1"


def seen_sync(request: Any, name: str) -> None:
    """Run in a ``def`` function: wait, read the form and set a context variable."""
    assert type(request) is Request
    await_(later())
    check(request, request.form() if request.method == "POST" else None)
    TRACE.set((*TRACE.get(), name))


async def seen_async(request: Any, name: str) -> None:
    assert type(request) is AsyncRequest
    await later()
    check(request, await request.form() if request.method == "POST" else None)
    TRACE.set((*TRACE.get(), name))


def route(path: str, run: str, sync: Any, later: Any, methods: Any = ("GET", "POST"), **options: Any) -> Route:
    if run == "async":
        return Route(path, later, methods, **options)
    return Route(path, sync, methods, run=run, **options)  # type: ignore[arg-type]


@contextmanager
def served(transport: str, app: Application, thread: LoopThread) -> Iterator[Ask]:
    """Serve an application; yield a function that sends a request, over one connection."""
    if transport == "in-process":
        with TestClient(app, base_url="http://localhost", cookies=None) as client:

            def call(method: str, path: str, body: bytes = b"", headers: Any = None) -> Any:
                client.cookies.clear()
                response = client.request(method, path, content=body or None, headers=headers or {})
                return response.status_code, dict(response.headers), response.content

            yield call
        return
    with socket.create_server(("127.0.0.1", 0)) as listener:
        target = Served(app, listener)
        with thread.serving(SERVERS[transport], target):
            connection = http.client.HTTPConnection(*target.address, timeout=10)

            def ask(method: str, path: str, body: bytes = b"", headers: Any = None) -> Any:
                connection.request(method, path.replace(" ", "%20"), body or None, headers or {})
                response = connection.getresponse()
                return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()

            yield ask
            connection.close()
