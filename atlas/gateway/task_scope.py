"""Tasks that run during a block of code and are cancelled at its end: a watch for a disconnect, a keep-alive timer.

The block itself stays in the current task, with its context variables.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from types import TracebackType
from typing import Any

__all__ = ["TaskScope"]


class TaskScope:
    """``async with TaskScope() as scope: scope.start(watch()); await work()``.

    If a task raises, the block is cancelled where it waits, and the exception of the task is raised at the end of the
    block. At the end of the block the tasks that still run are cancelled; ``asyncio.TaskGroup`` waits for them.
    """

    __slots__ = ("_before", "_failure", "_left", "_owner", "_tasks")

    _owner: asyncio.Task[Any]

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._failure: BaseException | None = None
        self._left = False
        self._before = 0

    async def __aenter__(self) -> TaskScope:
        owner = asyncio.current_task()
        assert owner is not None  # a coroutine that runs on a loop is in one
        self._owner, self._before = owner, owner.cancelling()
        return self

    def start(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine in a task of its own.

        :param coroutine: the coroutine.
        """
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if error is not None and not self._left and self._failure is None:
            self._failure = error
            # A callback runs while the owner is suspended, so the cancellation is raised inside the block.
            self._owner.cancel()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._left = True
        for task in list(self._tasks):
            task.cancel()
        failure, self._failure = self._failure, None
        owner = self._owner
        del self._owner  # the traceback of an exception of the owner refers to this object: avoid a cycle
        # As in asyncio.timeout: if the owner was cancelled by other code too, the cancellation is raised.
        if failure is None or owner.uncancel() > self._before:
            return
        if kind is None or kind is asyncio.CancelledError:
            raise failure
