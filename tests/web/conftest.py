"""How the tests of the web half ask an application: each in every way, see ``ways``.

``pytest tests/web -k native`` runs one way, ``ATLAS_TEST_QUICK=1`` only the one without sockets. What no client can
ask says so by ``in_process(reason)``; where a server has a mind of its own, ``server_differs("uvicorn", reason=...)``
leaves it out; ``test_ways.py`` has the list of both.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.web.transports import asking
from tests.web.transports.servers import LoopThread

Ask = Callable[..., httpx.Response]
Drive = Callable[..., list[dict[str, Any]]]
REQUEST = {"type": "http.request", "body": b""}


def pytest_configure(config: pytest.Config) -> None:
    for line in (
        "in_process(reason): asked in the test's own process alone",
        "server_differs(*ways, reason): these servers answer by themselves, or otherwise",
        "known_mistake(*ways, reason): does not work in these ways yet",
    ):
        config.addinivalue_line("markers", line)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "way" in metafunc.fixturenames:
        alone = metafunc.definition.get_closest_marker("in_process") or os.environ.get("ATLAS_TEST_QUICK") == "1"
        ways = asking.WAYS[:1] if alone else asking.WAYS
        if (
            "middleware" in metafunc.definition.path.parts
        ):  # uvicorn stands for the other servers: nothing there differs
            ways = tuple(way for way in ways if way != "hypercorn")
        metafunc.parametrize("way", ways, indirect=True)


@pytest.fixture(scope="session")
def loop_thread() -> LoopThread:
    return LoopThread()


@pytest.fixture
def way(request: pytest.FixtureRequest, loop_thread: LoopThread) -> asking.Way:
    """How this run of the test asks."""
    if request.param == "in-process":
        return asking.InProcess()
    for marker in request.node.iter_markers("server_differs"):
        if request.param in marker.args:
            pytest.skip(marker.kwargs["reason"])
    for marker in request.node.iter_markers("known_mistake"):
        if request.param in marker.args:
            request.applymarker(pytest.mark.xfail(reason=marker.kwargs["reason"], strict=False))
    return asking.OverSocket(request.param, loop_thread)


@pytest.fixture
def ask(way: asking.Way) -> Ask:
    """``ask(app, method, path, **options)`` sends a request as httpx does; the response is not redirected."""
    return way.ask


@pytest.fixture
def drive(way: asking.Way) -> Drive:
    """``drive(app, events, **scope)`` sends a request as ASGI tells it; what the application sent comes back."""

    def drive_once(app: Any, events: list[dict[str, Any]] | None = None, **scope: Any) -> list[dict[str, Any]]:
        return way.drive(app, [REQUEST] if events is None else events, **scope)

    return drive_once


@pytest.fixture
def call() -> Drive:
    """As ``drive``, for what no client can send: a lifespan, a handshake, a scope of one's own."""

    def call_once(app: Any, events: list[dict[str, Any]] | None = None, **scope: Any) -> list[dict[str, Any]]:
        return asking.call(app, [REQUEST] if events is None else events, **scope)

    return call_once
