import asyncio
from collections.abc import Iterator

import pytest

from atlas._speedups.calls.tasks import TaskStarter


@pytest.fixture(params=["asyncio", "uvloop"])
def loop(request: pytest.FixtureRequest) -> Iterator[asyncio.AbstractEventLoop]:
    uvloop = pytest.importorskip("uvloop") if request.param == "uvloop" else asyncio
    loop = uvloop.new_event_loop()
    yield loop
    loop.close()


@pytest.fixture
def starter(loop: asyncio.AbstractEventLoop) -> TaskStarter:
    return TaskStarter(loop, asyncio.Task)
