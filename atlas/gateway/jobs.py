"""Work beside the requests: so many jobs at a time, the others in line, and an end that waits for them."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections import deque
from collections.abc import Callable
from contextvars import Context
from typing import Any, NamedTuple

from atlas.gateway.threads import in_thread

__all__ = ["Job", "Jobs"]

_log = logging.getLogger("atlas.web")


class Job(NamedTuple):
    """A call that is to be made: of a coroutine function on the loop, of any other one in a thread.

    ``context``: the one that it runs in; a copy of the current one where there is none.
    """

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    options: dict[str, Any]
    context: Context | None = None


class Jobs:
    """Runs jobs in tasks of their own. A failure is logged, and nobody else's business.

    :param limit: how many run at a time.
    :param most_waiting: how many may stand in line.
    """

    def __init__(self, limit: int = 64, most_waiting: int = 10_000) -> None:
        self._limit = limit
        self._most_waiting = most_waiting
        self._waiting: deque[Job] = deque()
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, job: Job) -> None:
        """Run a job, or put it in line.

        :raises RuntimeError: if the line is full, or no event loop runs here.
        """
        if len(self._tasks) >= self._limit:
            if len(self._waiting) >= self._most_waiting:
                raise RuntimeError(f"{len(self._waiting)} background jobs are waiting already")
            self._waiting.append(job)
            return
        self._begin(job)

    def _begin(self, job: Job) -> None:
        task = asyncio.get_running_loop().create_task(_run(job), context=job.context)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """One that ends makes room for the next in line."""
        self._tasks.discard(task)
        while self._waiting and len(self._tasks) < self._limit:
            self._begin(self._waiting.popleft())

    async def drain(self, seconds: float) -> None:
        """Wait for all jobs, those in line too. What is not done by then is cancelled, and logged."""
        clock = asyncio.get_running_loop().time
        end = clock() + seconds
        while self._tasks and clock() < end:
            await asyncio.wait(self._tasks, timeout=end - clock(), return_when=asyncio.FIRST_COMPLETED)
            await asyncio.sleep(0)  # their callbacks make room for those in line
        if not self._tasks:
            return
        late = set(self._tasks)
        _log.error("%d background jobs were not done after %g s", len(late) + len(self._waiting), seconds)
        self._waiting.clear()
        for task in late:
            task.cancel()
        await asyncio.wait(late)


async def _run(job: Job) -> None:
    try:
        if inspect.iscoroutinefunction(job.function):
            await job.function(*job.arguments, **job.options)
        else:
            result = await in_thread(job.function, *job.arguments, **job.options)
            if inspect.isawaitable(result):  # a partial or an object with an async call
                await result
    except Exception:
        name = getattr(job.function, "__qualname__", repr(job.function))
        _log.exception("the background job %s failed", name)
