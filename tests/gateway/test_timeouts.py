import asyncio

import pytest

from atlas.gateway.timeouts import TimeoutExpired, within


async def answer() -> int:
    await asyncio.sleep(0)
    return 42


def test_what_is_in_time() -> None:
    assert asyncio.run(within(30, answer())) == 42


def test_what_is_not_is_cancelled() -> None:
    ended = []

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    with pytest.raises(TimeoutExpired, match="longer than 0.001 s"):
        asyncio.run(within(0.001, forever()))
    assert ended == [True]


def test_a_time_out_of_its_own_is_another_matter() -> None:
    async def fail() -> None:
        raise TimeoutError("mine")

    with pytest.raises(TimeoutError, match="mine") as caught:
        asyncio.run(within(30, fail()))
    assert not isinstance(caught.value, TimeoutExpired)


def test_a_cancellation_from_outside_goes_through() -> None:
    async def main() -> bool:
        task = asyncio.create_task(within(30, asyncio.Event().wait()))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        return task.cancelled()

    assert asyncio.run(main())


def test_it_runs_in_the_caller_s_task() -> None:
    async def main() -> bool:
        async def who() -> object:
            return asyncio.current_task()

        return await within(30, who()) is asyncio.current_task()

    assert asyncio.run(main())
