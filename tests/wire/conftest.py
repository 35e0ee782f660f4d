"""The servers of the wire tests: started once each, when first asked for."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .stage import Stage, Wire

WAYS = {
    "uvloop-whole": ("uvloop", False),
    "asyncio-whole": ("asyncio", False),
    "uvloop-bytes": ("uvloop", True),
    "asyncio-bytes": ("asyncio", True),
}
"""Name -> event loop, and whether bytes are delivered one at a time.

Single bytes go through a unix socket: there the client can see that the server has read each one before it sends on.
"""


@pytest.fixture(scope="session")
def wires(serve_session: Callable[..., Any]) -> Iterator[Callable[[str], Wire]]:
    running: dict[str, Wire] = {}
    with tempfile.TemporaryDirectory(prefix="atlas") as folder:

        def wire(way: str) -> Wire:
            if way not in running:
                loop, drip = WAYS[way]
                stage = Stage()
                place = {"uds": str(Path(folder, way))} if drip else {"port": 0}
                server = serve_session(stage, loop=loop, **place)
                address = server.sockets[0].getsockname()
                running[way] = Wire(stage, address if drip else address[:2], loop, drip)
            return running[way]

        yield wire


@pytest.fixture(params=list(WAYS))
def delivered(request: pytest.FixtureRequest, wires: Callable[[str], Wire]) -> Iterator[Wire]:
    """A wire for tests of what a client may send: on each loop, whole and one byte at a time."""
    wire = wires(request.param)
    yield wire
    wire.stage.clear()


@pytest.fixture(params=["uvloop-whole", "asyncio-whole"])
def wire(request: pytest.FixtureRequest, wires: Callable[[str], Wire]) -> Iterator[Wire]:
    """A wire for tests of what the server does: on each loop, over TCP."""
    wire = wires(request.param)
    yield wire
    wire.stage.clear()


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
def own(request: pytest.FixtureRequest, serve: Callable[..., Any]) -> Callable[..., Wire]:
    """``own(app=None, **settings)``: a wire to a server of this test's own, for settings other than the defaults."""

    def start(app: Any = None, **settings: Any) -> Wire:
        stage = Stage()
        if app is not None:
            stage.play(app)
        server = serve(stage, loop=request.param, **settings)
        wire = Wire(stage, server.sockets[0].getsockname()[:2], request.param)
        wire.server = server
        return wire

    return start
