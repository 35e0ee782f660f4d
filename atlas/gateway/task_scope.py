"""Tasks that run beside a block of code and end with it: a watch for a client that disconnects, a timer for pings.

The block itself stays in the task that it began in, with its context and its generators; only the others are tasks of
their own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from types import TracebackType
from typing import Any

__all__ = ["TaskScope"]


class TaskScope:
    """``async with TaskScope() as scope: scope.start(watch()); await work()``.

    A task that raises ends the block: the block is cancelled where it waits, and the task's exception is raised at its
    end. A task that returns is done. When the block is left, the tasks that still run are cancelled; this is where it
    differs from ``asyncio.TaskGroup``, which waits for them.
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
        """Run a coroutine beside the block.

        :param coroutine: it gets a task of its own.
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
            # A callback runs while the owner is suspended, so this always reaches it inside of its block.
            self._owner.cancel()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._left = True
        for task in list(self._tasks):
            task.cancel()
        failure, self._failure = self._failure, None
        owner = self._owner
        del self._owner  # the traceback of what the owner raises refers to this object: this cuts the cycle
        # The same count as in asyncio.timeout: a cancellation that came from elsewhere too is passed on as one.
        if failure is None or owner.uncancel() > self._before:
            return
        if kind is None or kind is asyncio.CancelledError:
            raise failure
