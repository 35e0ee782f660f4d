"""The pytest plugin, with the fixtures ``client``, ``live_server`` and ``benchmark_request``.

All use the fixture ``app``. Define it, or name the application in the configuration of pytest::

    [tool.pytest.ini_options]
    atlas_app = "main:app"
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from atlas.testing.benchmarks import BenchmarkRequest
    from atlas.testing.client import TestClient

__all__ = ["LiveServer", "app", "benchmark_request", "client", "live_server", "pytest_addoption"]


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


@pytest.fixture
def app(request: pytest.FixtureRequest) -> Any:
    """The application that the ini option ``atlas_app`` names. A test suite may override this fixture."""
    from atlas.errors import StartupError
    from atlas.server.importer import load

    target = request.config.getini("atlas_app")
    if not target:
        pytest.fail('no application: define a fixture "app", or set atlas_app = "module:attr"', pytrace=False)
    try:
        return load(target, app_dir=str(request.config.rootpath))
    except StartupError as error:
        pytest.fail(f"atlas_app: {getattr(error, 'trace', '')}{error}", pytrace=False)


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
