"""The fixture ``benchmark_request``: measures an endpoint with pytest-benchmark, without the work of a client."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Unpack

from atlas.testing.client import TestClient
from atlas.testing.client_engine import Options
from atlas.testing.response import Response
from atlas.types import ASGIApp, Event, Receive, Scope, Send

__all__ = ["BenchmarkRequest"]

_LAST_EVENTS = ("http.response.body", "http.response.pathsend")


class BenchmarkRequest:
    """Measures a request: ``benchmark_request("GET", "/")``.

    A :class:`~atlas.testing.TestClient` sends it once. Then the application is called again and again with the same
    scope and body, and its response is dropped.

    :param benchmark: the fixture of pytest-benchmark.
    :param app: any ASGI 3 application.
    """

    def __init__(self, benchmark: Callable[..., Any], app: ASGIApp) -> None:
        self._benchmark = benchmark
        self._recorder = _Recorder(app)
        self._client = TestClient(self._recorder)

    def __call__(self, method: str, url: str, *, status_code: int = 200, **options: Unpack[Options]) -> Response:
        """Send a request, measure it, and return the response.

        :param method: the method, such as ``"GET"``.
        :param url: a path or a URL.
        :param status_code: the expected status, default 200. A redirect is not followed.
        :param options: see :class:`~atlas.testing.client_engine.Options`.
        :raises AssertionError: if the response has another status, at first or when it is measured.
        :raises TypeError: if the body is an iterator.
        :raises Exception: what the application raises.
        """
        __tracebackhide__ = True
        options["follow_redirects"] = False
        response = self._client.request(method, url, **options)
        _check(method, url, response.status_code, status_code)
        body = response.request.body
        if not isinstance(body, bytes) or self._recorder.scope is None:
            raise TypeError(f"{method} {url}: expected a body that can be sent again, got {type(body).__name__}")
        replay = _Replay(self._recorder.app, self._recorder.scope, body)
        run = self._client._runner.get_loop().run_until_complete
        _check(method, url, self._benchmark(lambda: run(replay.call())), status_code)
        return response

    def close(self) -> None:
        """Run the lifespan shutdown of the application."""
        self._client.close()


def _check(method: str, url: str, status: int, expected: int) -> None:
    __tracebackhide__ = True
    if status != expected:
        raise AssertionError(f"{method} {url}: expected status {expected}, got {status}")


class _Recorder:
    """Calls the application, and keeps the scope of the last request as it was before."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.scope: Scope | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self.scope = _copy(scope)
        await self.app(scope, receive, send)


class _Replay:
    """A request that is made many times."""

    def __init__(self, app: ASGIApp, scope: Scope, body: bytes) -> None:
        self._app = app
        self._scope = scope
        self._request: Event = {"type": "http.request", "body": body, "more_body": False}
        self._was_read = self._is_complete = False
        self._status = 0
        self._waiter: asyncio.Future[None] | None = None

    async def call(self) -> int:
        """Call the application once, and return the status of its response."""
        self._was_read = self._is_complete = False
        self._status = 0
        await self._app(_copy(self._scope), self._receive, self._send)
        return self._status

    async def _receive(self) -> Event:
        if not self._was_read:
            self._was_read = True
            return self._request
        if not self._is_complete:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        return {"type": "http.disconnect"}

    async def _send(self, event: Event) -> None:
        if event["type"] == "http.response.start":
            self._status = event["status"]
        elif event["type"] in _LAST_EVENTS and not event.get("more_body", False):
            self._is_complete = True
            if self._waiter is not None and not self._waiter.done():
                self._waiter.set_result(None)


def _copy(scope: Scope) -> Scope:
    """Copy what an application may change: the scope, and its state."""
    copied = dict(scope)
    if "state" in copied:
        copied["state"] = dict(copied["state"])
    return copied
