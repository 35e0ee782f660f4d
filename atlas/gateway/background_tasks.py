"""Background tasks: a limited number at a time, the others in a queue, and all of them awaited at shutdown."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections import deque
from collections.abc import Callable
from contextvars import Context
from typing import Any, NamedTuple

from atlas.gateway.shared_exceptions import drop_frames
from atlas.gateway.threads import BACKGROUND

__all__ = ["BackgroundRunner", "BackgroundTask"]

_log = logging.getLogger("atlas.web")


class BackgroundTask(NamedTuple):
    """A function call. A coroutine function runs on the event loop, any other function in a thread.

    :ivar function: called with ``arguments`` and ``options``.
    :ivar arguments: positional arguments.
    :ivar options: keyword arguments.
    :ivar context: the :class:`contextvars.Context` that it runs in; None, the default, for a copy of the current one.
    """

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    options: dict[str, Any]
    context: Context | None = None


class BackgroundRunner:
    """Runs background tasks, each in an asyncio task of its own. Exceptions are logged.

    :param limit: number of tasks that run at a time, default 64.
    :param max_waiting: maximum number of tasks in the queue, default 10,000.
    """

    def __init__(self, limit: int = 64, max_waiting: int = 10_000) -> None:
        self._limit = limit
        self._max_waiting = max_waiting
        self._waiting: deque[BackgroundTask] = deque()
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, task: BackgroundTask) -> None:
        """Start a task, or add it to the queue if ``limit`` tasks run.

        :param task: the task.
        :raises RuntimeError: if the queue is full, or no event loop is running.
        """
        if len(self._tasks) >= self._limit:
            if len(self._waiting) >= self._max_waiting:
                raise RuntimeError(f"{len(self._waiting)} background tasks are waiting already")
            self._waiting.append(task)
            return
        self._start(task)

    def _start(self, task: BackgroundTask) -> None:
        running = asyncio.get_running_loop().create_task(_run(task), context=task.context)
        self._tasks.add(running)
        running.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Start tasks of the queue in place of one that has ended."""
        self._tasks.discard(task)
        while self._waiting and len(self._tasks) < self._limit:
            self._start(self._waiting.popleft())

    async def drain(self, timeout: float) -> None:  # noqa: ASYNC109 - afterwards the tasks are cancelled, not this call
        """Wait for all tasks, and those in the queue. Tasks that take longer are cancelled and logged.

        :param timeout: in seconds.
        """
        clock = asyncio.get_running_loop().time
        end = clock() + timeout
        while self._tasks and clock() < end:
            await asyncio.wait(self._tasks, timeout=end - clock(), return_when=asyncio.FIRST_COMPLETED)
            await asyncio.sleep(0)  # their callbacks start tasks of the queue
        if not self._tasks:
            return
        late = set(self._tasks)
        _log.error("%d background tasks were not done after %g s", len(late) + len(self._waiting), timeout)
        self._waiting.clear()
        for task in late:
            task.cancel()
        await asyncio.wait(late)


async def _run(task: BackgroundTask) -> None:
    try:
        if inspect.iscoroutinefunction(task.function):
            await task.function(*task.arguments, **task.options)
        else:
            result = await BACKGROUND.run(task.function, *task.arguments, **task.options)
            if inspect.isawaitable(result):  # of a partial, or of an object whose __call__ is async
                await result
    except Exception as error:
        name = getattr(task.function, "__qualname__", repr(task.function))
        _log.exception("the background task %s failed", name)
        drop_frames(error)
