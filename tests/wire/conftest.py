"""The servers of the wire tests, each started at first use."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .wire_server import SwappableApp, WireServer

TRANSPORTS = {
    "uvloop-whole": ("uvloop", False),
    "asyncio-whole": ("asyncio", False),
    "uvloop-bytes": ("uvloop", True),
    "asyncio-bytes": ("asyncio", True),
}
"""Name -> event loop, and whether bytes are delivered one at a time.

Single bytes go through a unix socket: there the client can see that the server has read each one before it sends on.
"""


@pytest.fixture(scope="session")
def wires(serve_session: Callable[..., Any]) -> Iterator[Callable[[str], WireServer]]:
    running: dict[str, WireServer] = {}
    with tempfile.TemporaryDirectory(prefix="atlas") as folder:

        def wire(transport: str) -> WireServer:
            if transport not in running:
                loop, drip = TRANSPORTS[transport]
                app = SwappableApp()
                place = {"uds": str(Path(folder, transport))} if drip else {"port": 0}
                server = serve_session(app, loop=loop, **place)
                address = server.sockets[0].getsockname()
                running[transport] = WireServer(app, address if drip else address[:2], loop, drip)
            return running[transport]

        yield wire


@pytest.fixture(params=list(TRANSPORTS))
def delivered(request: pytest.FixtureRequest, wires: Callable[[str], WireServer]) -> Iterator[WireServer]:
    """A server for tests of requests: on each loop, with the bytes sent at once and one at a time."""
    wire = wires(request.param)
    yield wire
    wire.app.clear()


@pytest.fixture(params=["uvloop-whole", "asyncio-whole"])
def wire(request: pytest.FixtureRequest, wires: Callable[[str], WireServer]) -> Iterator[WireServer]:
    """A server for tests of responses: on each loop, over TCP."""
    wire = wires(request.param)
    yield wire
    wire.app.clear()


@pytest.fixture
def records() -> Iterator[list[logging.LogRecord]]:
    """What the server logs, whether its logger propagates or not."""

    class Keeper(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            kept.append(record)

    kept: list[logging.LogRecord] = []
    logger = logging.getLogger("atlas.server")
    handler = Keeper()
    logger.addHandler(handler)
    yield kept
    logger.removeHandler(handler)


@pytest.fixture(params=["uvloop", "asyncio"])
def own(request: pytest.FixtureRequest, serve: Callable[..., Any]) -> Callable[..., WireServer]:
    """``own(app=None, **settings)`` starts a server for this test, with settings other than the defaults."""

    def start(app: Any = None, **settings: Any) -> WireServer:
        swappable = SwappableApp()
        if app is not None:
            swappable.set_app(app)
        server = serve(swappable, loop=request.param, **settings)
        wire = WireServer(swappable, server.sockets[0].getsockname()[:2], request.param)
        wire.server = server
        return wire

    return start
