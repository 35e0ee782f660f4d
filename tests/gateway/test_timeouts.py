"""Awaiting with a timeout."""

import asyncio

import pytest

from atlas.gateway.timeouts import TimeoutExpired, wait_for


async def answer() -> int:
    await asyncio.sleep(0)
    return 42


def test_a_result_in_time_is_returned() -> None:
    assert asyncio.run(wait_for(answer(), 30)) == 42


def test_an_awaitable_that_takes_longer_is_cancelled() -> None:
    ended = []

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    with pytest.raises(TimeoutExpired, match="longer than 0.001 s"):
        asyncio.run(wait_for(forever(), 0.001))
    assert ended == [True]


def test_a_timeout_error_of_the_awaitable_is_not_changed() -> None:
    async def fail() -> None:
        raise TimeoutError("mine")

    with pytest.raises(TimeoutError, match="mine") as caught:
        asyncio.run(wait_for(fail(), 30))
    assert not isinstance(caught.value, TimeoutExpired)


def test_a_cancellation_of_the_caller_is_not_changed() -> None:
    async def main() -> bool:
        task = asyncio.create_task(wait_for(asyncio.Event().wait(), 30))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        return task.cancelled()

    assert asyncio.run(main())


def test_it_runs_in_the_task_of_the_caller() -> None:
    async def main() -> bool:
        async def who() -> object:
            return asyncio.current_task()

        return await wait_for(who(), 30) is asyncio.current_task()

    assert asyncio.run(main())
