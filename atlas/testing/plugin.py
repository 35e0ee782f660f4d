"""The pytest plugin, with the fixtures ``client``, ``live_server`` and ``benchmark_request``.

All use the fixture ``app``. Define it, or name the application, or a function that returns it, in the configuration of
pytest; without that it is the one that ``[tool.atlas]`` names for ``atlas serve``::

    [tool.pytest.ini_options]
    atlas_app = "main:app"
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from atlas.testing.benchmarks import BenchmarkRequest
    from atlas.testing.client import TestClient

__all__ = [
    "LiveServer",
    "app",
    "benchmark_request",
    "client",
    "live_server",
    "pytest_addoption",
    "pytest_terminal_summary",
]

_NO_APPLICATION = (
    'no application: define a fixture "app", or set atlas_app = "module:attr" for pytest, or app in [tool.atlas]'
)


@dataclass(frozen=True, slots=True)
class LiveServer:
    """The address of a server that runs during a test; ``str()`` returns its URL."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """The URL without a trailing slash: ``http://127.0.0.1:54321``."""
        return f"http://{self.host}:{self.port}"

    def __str__(self) -> str:
        return self.url


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the ini option ``atlas_app``."""
    parser.addini("atlas_app", "Application of the fixtures of Atlas, such as main:app", default="")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say what to set where coverage loses lines of sync code."""
    from atlas.testing.coverage_check import coverage_advice

    if (advice := coverage_advice()) is not None:
        terminalreporter.write_line(f"atlas: {advice}", yellow=True)


@pytest.fixture
def app(request: pytest.FixtureRequest) -> Any:
    """The application that the ini option ``atlas_app`` names, or ``app`` in ``[tool.atlas]`` of ``pyproject.toml``.

    A function without parameters is called: it returns the application. A test suite may override this fixture.
    """
    from atlas.errors import StartupError
    from atlas.server.configuration.load_settings import load_settings
    from atlas.server.importer import load

    root = request.config.rootpath
    target = request.config.getini("atlas_app")
    try:
        loaded = load_settings(target or None, {}, os.environ, root)
        if loaded.app is None:
            pytest.fail(_NO_APPLICATION, pytrace=False)
        return load(loaded.app, app_dir=str(root / loaded.settings.app_dir), factory=loaded.settings.factory or None)
    except StartupError as error:
        origin = "atlas_app" if target else "[tool.atlas]"
        pytest.fail(f"{origin}: {getattr(error, 'trace', '')}{error}", pytrace=False)


@pytest.fixture
def client(app: Any) -> Iterator[TestClient]:
    """A :class:`~atlas.testing.TestClient` for the application, with its lifespan running during the test."""
    from atlas.testing.client import TestClient

    with TestClient(app) as started:
        yield started


@pytest.fixture
def benchmark_request(benchmark: Any, app: Any) -> Iterator[BenchmarkRequest]:
    """Measure a request with pytest-benchmark, without the work of a client: ``benchmark_request("GET", "/")``."""
    from atlas.testing.benchmarks import BenchmarkRequest

    measured = BenchmarkRequest(benchmark, app)
    try:
        yield measured
    finally:
        measured.close()


@pytest.fixture
def live_server(app: Any) -> Iterator[LiveServer]:
    """A server for the application on a free port, in a thread; for browsers and other programs."""
    from atlas.server.server import Server

    server = Server(app, port=0, access_log=False)
    with server.run_in_thread():
        yield LiveServer(*server.sockets[0].getsockname()[:2])
