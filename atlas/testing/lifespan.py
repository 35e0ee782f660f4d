"""The lifespan of an application under test. Its exceptions are raised in the test (ASGI, Lifespan Protocol 2.0)."""

from __future__ import annotations

import asyncio
from typing import Any

from atlas.errors import LifespanError
from atlas.types import ASGIApp, Event

__all__ = ["LifespanTask"]


class LifespanTask:
    """Runs the lifespan of an application in a task of its own.

    :param app: the application.

    :ivar state: the lifespan state; each request gets a copy.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.state: dict[str, Any] = {}
        self._app = app
        self._received = 0
        self._started = False
        self._answer: Event | None = None
        self._answered = asyncio.Event()
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Run the startup. An application without lifespan is accepted.

        :raises LifespanError: if the application sent ``lifespan.startup.failed``.
        :raises Exception: what the startup raises.
        """
        self._task = asyncio.create_task(self._run(), name="lifespan")
        await self._answered.wait()
        if self._answer is None:
            await self._raise_exception(supported=self._received > 0)
        elif self._answer["type"] == "lifespan.startup.failed":
            await self._task
            raise LifespanError(str(self._answer.get("message") or "the application failed to start"))
        else:
            self._started = True

    async def stop(self) -> None:
        """Run the shutdown.

        :raises LifespanError: if the application sent ``lifespan.shutdown.failed``.
        :raises Exception: what the shutdown raises.
        """
        if not self._started or self._task is None:
            return
        self._started = False
        self._answer = None
        self._answered.clear()
        self._stop.set()
        await self._answered.wait()
        await self._raise_exception(supported=True)
        self._check_shutdown(self._answer)

    def _check_shutdown(self, answer: Event | None) -> None:
        if answer is not None and answer["type"] == "lifespan.shutdown.failed":
            raise LifespanError(str(answer.get("message") or "the application's shutdown failed"))

    async def _raise_exception(self, supported: bool) -> None:
        """Raise the exception of the task, unless the application has no lifespan."""
        assert self._task is not None
        try:
            await self._task
        except Exception:
            if supported:
                raise

    async def _run(self) -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self.state}
        try:
            await self._app(scope, self._receive, self._send)
        finally:
            self._answered.set()

    async def _receive(self) -> Event:
        self._received += 1
        if self._received == 1:
            return {"type": "lifespan.startup"}
        await self._stop.wait()
        return {"type": "lifespan.shutdown"}

    async def _send(self, event: Event) -> None:
        if not str(event["type"]).startswith("lifespan."):
            self._received = 0  # the application answers every scope as a request: it has no lifespan
            raise RuntimeError(f"expected no {event['type']!r} in a lifespan")
        self._answer = event
        self._answered.set()
