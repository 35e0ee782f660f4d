import asyncio

import pytest

from atlas.gateway.task_scope import TaskScope


async def forever() -> None:
    await asyncio.Event().wait()


def test_a_task_ends_with_the_work() -> None:
    ended = []

    async def beside() -> None:
        try:
            await forever()
        finally:
            ended.append(True)

    async def go() -> None:
        async with TaskScope() as scope:
            scope.start(beside())
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert ended == [True]

    asyncio.run(go())


def test_a_task_that_returns_is_done() -> None:
    async def beside() -> None:
        return

    async def go() -> str:
        async with TaskScope() as scope:
            scope.start(beside())
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            return "done"

    assert asyncio.run(go()) == "done"


async def fail() -> None:
    raise OSError("gone")


def test_a_task_that_raises_ends_the_block_and_its_error_is_raised() -> None:
    seen = []

    async def go() -> None:
        try:
            async with TaskScope() as scope:
                scope.start(fail())
                try:
                    await forever()
                except asyncio.CancelledError:
                    seen.append("cancelled")
                    raise
        except OSError as error:
            seen.append(str(error))
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0
        await asyncio.sleep(0)  # and is not cancelled any more

    asyncio.run(go())
    assert seen == ["cancelled", "gone"]


def test_its_error_is_raised_even_if_the_block_suppresses_the_cancellation() -> None:
    async def go() -> None:
        async with TaskScope() as scope:
            scope.start(fail())
            try:
                await forever()
            except asyncio.CancelledError:
                pass

    with pytest.raises(OSError, match="gone"):
        asyncio.run(go())


def test_an_error_of_the_block_takes_precedence() -> None:
    async def go() -> None:
        async with TaskScope() as scope:
            scope.start(fail())
            try:
                await forever()
            finally:
                raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        asyncio.run(go())


def test_a_cancellation_by_other_code_is_raised() -> None:
    async def work() -> None:
        async with TaskScope() as scope:
            scope.start(fail())
            await forever()

    async def go() -> None:
        task = asyncio.ensure_future(work())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(go())
