"""Fake servers and connections. Hypothesis has no deadline, because the machine may be slow."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import settings

from tests._speedups.fake_connection import FakeConnection, FakeServer

settings.register_profile("atlas", deadline=None)
settings.load_profile("atlas")


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


@pytest.fixture
def new_server(loop: asyncio.AbstractEventLoop) -> Callable[..., FakeServer]:
    """``new_server(**settings)``"""

    def new_server(**settings: Any) -> FakeServer:
        return FakeServer(loop, **settings)

    return new_server


@pytest.fixture
def server(new_server: Callable[..., FakeServer]) -> FakeServer:
    return new_server()


@pytest.fixture
def connection(server: FakeServer) -> FakeConnection:
    return server.connect()
