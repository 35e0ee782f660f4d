import asyncio

import pytest

from atlas.gateway.cancellation import run_to_end, undone_when_cancelled


class Steps:
    def __init__(self, result: object = True) -> None:
        self.log: list[str] = []
        self.result = result
        self.started, self.may_end = asyncio.Event(), asyncio.Event()

    async def do(self) -> object:
        self.started.set()
        await self.may_end.wait()
        self.log.append("done")
        if isinstance(self.result, Exception):
            raise self.result
        return self.result

    async def undo(self) -> None:
        self.log.append("undone")


@pytest.mark.parametrize(
    ("result", "log"), [(True, ["done", "undone"]), (False, ["done"]), (OSError("no answer"), ["done"])]
)
def test_a_cancelled_caller_undoes_what_was_done(result: object, log: list[str]) -> None:
    async def cancel() -> list[str]:
        steps = Steps(result)
        task = asyncio.create_task(undone_when_cancelled(steps.do(), steps.undo))
        await steps.started.wait()
        task.cancel()
        steps.may_end.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        return steps.log

    assert asyncio.run(cancel()) == log


def test_without_a_cancellation_there_is_the_result() -> None:
    async def run() -> tuple[object, object, list[str]]:
        steps = Steps()
        steps.may_end.set()
        return await undone_when_cancelled(steps.do(), steps.undo), await run_to_end(steps.do()), steps.log

    assert asyncio.run(run()) == (True, True, ["done", "done"])


def test_a_cancelled_caller_lets_the_coroutine_end() -> None:
    async def cancel() -> list[str]:
        steps = Steps()
        task = asyncio.create_task(run_to_end(steps.do()))
        await steps.started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        steps.may_end.set()
        await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()})
        return steps.log

    assert asyncio.run(cancel()) == ["done"]
