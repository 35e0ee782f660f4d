"""The background tasks of an application, which start after the response."""

from __future__ import annotations

from contextvars import ContextVar

from atlas._speedups.calls.request import RequestData
from atlas.gateway.background_tasks import BackgroundRunner, BackgroundTask

__all__ = ["CURRENT", "BackgroundTasks"]

_SHUTDOWN_TIMEOUT = 30.0  # seconds

CURRENT: ContextVar[RequestData | None] = ContextVar("atlas.request", default=None)
"""The current request, which keeps its background tasks until it is finished."""


class BackgroundTasks:
    """The background tasks of an application. Those of a request start when its response has been sent."""

    def __init__(self) -> None:
        self._runner = BackgroundRunner()

    def start(self, request: RequestData) -> None:
        """Start the background tasks of a request.

        :param request: a request whose response has been sent.
        """
        tasks, request._background_tasks = request._background_tasks or (), None
        for task in tasks:
            self._runner.start(task)

    def add(self, task: BackgroundTask) -> None:
        """Add a task to the current request; start it at once if there is none, or if it is finished.

        :param task: the task.
        :raises RuntimeError: if there is no request and no running event loop, or too many tasks are waiting.
        """
        request = CURRENT.get()
        if request is None or request._finished:
            self._runner.start(task)
        elif request._background_tasks is None:
            request._background_tasks = [task]
        else:
            request._background_tasks.append(task)

    async def drain(self) -> None:
        """Wait for the background tasks, for at most 30 seconds; called at shutdown."""
        await self._runner.drain(_SHUTDOWN_TIMEOUT)
