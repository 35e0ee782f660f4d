"""Fixtures of the web tests, which run with every transport of ``tests.web.transports``.

``pytest tests/web -k native`` runs one transport, ``ATLAS_TEST_QUICK=1`` the one without sockets. The marker
``in_process(reason)`` is for requests that no client can send, ``server_differs("uvicorn", reason=...)`` skips a server
that behaves otherwise. ``test_transports.py`` lists the uses of both.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.web.transports import transport
from tests.web.transports.servers import LoopThread

Ask = Callable[..., httpx.Response]
Drive = Callable[..., list[dict[str, Any]]]
REQUEST = {"type": "http.request", "body": b""}


def pytest_configure(config: pytest.Config) -> None:
    for line in (
        "in_process(reason): run with the transport in the same process only",
        "server_differs(*names, reason): skip these servers",
        "known_failure(*names, reason): expected to fail with these transports",
    ):
        config.addinivalue_line("markers", line)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "web_transport" in metafunc.fixturenames:
        alone = metafunc.definition.get_closest_marker("in_process") or os.environ.get("ATLAS_TEST_QUICK") == "1"
        names = transport.TRANSPORTS[:1] if alone else transport.TRANSPORTS
        if (
            "middleware" in metafunc.definition.path.parts
        ):  # uvicorn stands for the other servers: nothing there differs
            names = tuple(name for name in names if name != "hypercorn")
        metafunc.parametrize("web_transport", names, indirect=True)


@pytest.fixture(scope="session")
def loop_thread() -> LoopThread:
    return LoopThread()


@pytest.fixture
def web_transport(request: pytest.FixtureRequest, loop_thread: LoopThread) -> transport.Transport:
    """The transport of this run of the test."""
    if request.param == "in-process":
        return transport.InProcessTransport()
    for marker in request.node.iter_markers("server_differs"):
        if request.param in marker.args:
            pytest.skip(marker.kwargs["reason"])
    for marker in request.node.iter_markers("known_failure"):
        if request.param in marker.args:
            request.applymarker(pytest.mark.xfail(reason=marker.kwargs["reason"], strict=False))
    return transport.SocketTransport(request.param, loop_thread)


@pytest.fixture
def ask(web_transport: transport.Transport) -> Ask:
    """``ask(app, method, path, **options)`` sends a request with the options of httpx; redirects are not followed."""
    return web_transport.ask


@pytest.fixture
def drive(web_transport: transport.Transport) -> Drive:
    """``drive(app, events, **scope)`` sends the request of an ASGI scope; returns the events of the response."""

    def drive_once(app: Any, events: list[dict[str, Any]] | None = None, **scope: Any) -> list[dict[str, Any]]:
        return web_transport.drive(app, [REQUEST] if events is None else events, **scope)

    return drive_once


@pytest.fixture
def call() -> Drive:
    """As ``drive``, but calls the application directly: with a lifespan, a handshake or any other scope."""

    def call_once(app: Any, events: list[dict[str, Any]] | None = None, **scope: Any) -> list[dict[str, Any]]:
        return transport.call(app, [REQUEST] if events is None else events, **scope)

    return call_once
