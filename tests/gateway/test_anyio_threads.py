"""``anyio.from_thread`` in the threads of Atlas."""

import asyncio

import anyio.from_thread
import pytest

from atlas.gateway.anyio_threads import anyio_thread
from atlas.gateway.threads import in_thread


async def double(number: int) -> int:
    await anyio.sleep(0)
    return 2 * number


def test_a_coroutine_runs_on_the_loop_of_the_caller() -> None:
    loops = []

    async def look() -> None:
        loops.append(asyncio.get_running_loop())

    async def main() -> int:
        await in_thread(anyio.from_thread.run, look)
        assert loops == [asyncio.get_running_loop()]
        return await in_thread(anyio.from_thread.run, double, 21)

    assert asyncio.run(main()) == 42


def test_nothing_of_it_stays_in_the_thread() -> None:
    loop = asyncio.new_event_loop()
    with anyio_thread(loop):
        pass
    with pytest.raises(RuntimeError):
        anyio.from_thread.run(double, 1)
    loop.close()
