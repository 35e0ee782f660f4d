"""The lifespan of an application under test: its failures reach the test as they are (ASGI lifespan 2.0)."""

from __future__ import annotations

import asyncio
from typing import Any

from atlas.errors import LifespanError
from atlas.types import ASGIApp, Event

__all__ = ["LifespanRun"]


class LifespanRun:
    """One start and one stop of an application, in a task of its own between them.

    :ivar state: what the application stored while it started; each request gets a copy.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.state: dict[str, Any] = {}
        self._app = app
        self._asked = 0
        self._started = False
        self._answer: Event | None = None
        self._answered = asyncio.Event()
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start it up. An application that knows no lifespan is left alone.

        :raises LifespanError: if it refused. Whatever its start-up raised is raised here.
        """
        self._task = asyncio.create_task(self._run(), name="lifespan")
        await self._answered.wait()
        if self._answer is None:
            await self._raised(self._asked > 0)
        elif self._answer["type"] == "lifespan.startup.failed":
            await self._task
            raise LifespanError(str(self._answer.get("message") or "the application refused to start"))
        else:
            self._started = True

    async def stop(self) -> None:
        """Shut it down.

        :raises LifespanError: if that failed. Whatever its shutdown raised is raised here.
        """
        if not self._started or self._task is None:
            return
        self._started = False
        self._answer = None
        self._answered.clear()
        self._stop.set()
        await self._answered.wait()
        await self._raised(True)
        self._check_shutdown(self._answer)

    def _check_shutdown(self, answer: Event | None) -> None:
        if answer is not None and answer["type"] == "lifespan.shutdown.failed":
            raise LifespanError(str(answer.get("message") or "the application's shutdown failed"))

    async def _raised(self, meant: bool) -> None:
        """Raise what the task raised, if it was meant to have a lifespan at all."""
        assert self._task is not None
        try:
            await self._task
        except Exception:
            if meant:
                raise

    async def _run(self) -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self.state}
        try:
            await self._app(scope, self._receive, self._send)
        finally:
            self._answered.set()

    async def _receive(self) -> Event:
        self._asked += 1
        if self._asked == 1:
            return {"type": "lifespan.startup"}
        await self._stop.wait()
        return {"type": "lifespan.shutdown"}

    async def _send(self, event: Event) -> None:
        if not str(event["type"]).startswith("lifespan."):
            self._asked = 0  # it takes everything for a request: it was not made for a lifespan
            raise RuntimeError(f"expected no {event['type']!r} in a lifespan")
        self._answer = event
        self._answered.set()
