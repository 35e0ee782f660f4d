"""The pytest plugin: fixtures ``client`` and ``live_server``.

Both ask the fixture ``app``. Write one of your own, or name the application in pytest's configuration::

    [tool.pytest.ini_options]
    atlas_app = "main:app"
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from atlas.testing.client import TestClient

__all__ = ["LiveServer", "app", "client", "live_server", "pytest_addoption"]


@dataclass(frozen=True, slots=True)
class LiveServer:
    """A server that listens while the test runs; ``str()`` of it is its address."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """``http://127.0.0.1:54321``, without a slash at the end."""
        return f"http://{self.host}:{self.port}"

    def __str__(self) -> str:
        return self.url


def pytest_addoption(parser: pytest.Parser) -> None:
    """The ini option ``atlas_app``."""
    parser.addini("atlas_app", "The application for the fixtures client and live_server, as in main:app", default="")


@pytest.fixture
def app(request: pytest.FixtureRequest) -> Any:
    """The application: what the ini option ``atlas_app`` names. A fixture of your own takes its place."""
    from atlas.errors import StartupError
    from atlas.server.importer import load

    target = request.config.getini("atlas_app")
    if not target:
        pytest.fail('no application: write a fixture "app", or set atlas_app = "module:attr" for pytest', pytrace=False)
    try:
        return load(target, app_dir=str(request.config.rootpath))
    except StartupError as error:
        pytest.fail(f"atlas_app: {getattr(error, 'trace', '')}{error}", pytrace=False)


@pytest.fixture
def client(app: Any) -> Iterator[TestClient]:
    """A :class:`~atlas.testing.TestClient` of the application, started up and, after the test, shut down."""
    from atlas.testing.client import TestClient

    with TestClient(app) as started:
        yield started


@pytest.fixture
def live_server(app: Any) -> Iterator[LiveServer]:
    """The application on a free port of this machine, in a thread: for browsers and other programs."""
    from atlas.server.server import Server

    server = Server(app, port=0, access_log=False)
    with server.in_thread():
        yield LiveServer(*server.sockets[0].getsockname()[:2])
