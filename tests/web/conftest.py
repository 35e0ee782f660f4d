"""How the tests of the web half ask an application: without sockets, each request on a loop of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest

Ask = Callable[..., httpx.Response]
Drive = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def ask() -> Ask:
    """``ask(app, method, path, **options)`` sends a request with httpx and returns the response, not redirected."""

    def ask_once(app: Any, method: str, path: str, **options: Any) -> httpx.Response:
        async def go() -> httpx.Response:
            transport = httpx.ASGITransport(app=app)
            async with httpx.AsyncClient(transport=transport, base_url="http://site.test") as client:
                return await client.request(method, path, **options)

        return asyncio.run(go())

    return ask_once


@pytest.fixture
def drive() -> Drive:
    """``drive(app, events, **scope)`` calls an application with a scope of one's own; what it sent comes back."""

    def drive_once(app: Any, events: list[dict[str, Any]] | None = None, **scope: Any) -> list[dict[str, Any]]:
        sent: list[dict[str, Any]] = []
        waiting = list(events if events is not None else [{"type": "http.request", "body": b""}])

        async def receive() -> dict[str, Any]:
            return waiting.pop(0)

        async def send(event: dict[str, Any]) -> None:
            sent.append(event)

        whole = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": [], **scope}
        asyncio.run(app(whole, receive, send))
        return sent

    return drive_once
