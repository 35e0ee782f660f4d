"""Offices for the tests of connections, and how generated tests are judged: by what they find, not by their time."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import settings

from tests._speedups.line import Line, Office

settings.register_profile("atlas", deadline=None)
settings.load_profile("atlas")


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


@pytest.fixture
def open_office(loop: asyncio.AbstractEventLoop) -> Callable[..., Office]:
    """``open_office(**settings)``"""

    def open_office(**settings: Any) -> Office:
        return Office(loop, **settings)

    return open_office


@pytest.fixture
def office(open_office: Callable[..., Office]) -> Office:
    return open_office()


@pytest.fixture
def line(office: Office) -> Line:
    return office.connect()
