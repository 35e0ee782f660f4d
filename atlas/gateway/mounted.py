"""The lifespan of an application that lives inside another one."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from atlas.errors import LifespanError
from atlas.types import ASGIApp, Event

__all__ = ["MountedLifespan"]

_log = logging.getLogger("atlas.web")


class MountedLifespan:
    """Starts and stops an ASGI application by its lifespan, in a task of its own (ASGI lifespan 2.0).

    :param state: what its requests shall see; the application fills it.
    """

    def __init__(self, app: ASGIApp, state: dict[str, Any]) -> None:
        self._app = app
        self._state = state
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._answers: asyncio.Queue[Event] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None
        self._answered = False

    async def start(self) -> None:
        """Start it. An application that knows no lifespan, and raises, is left alone, as the specification has it.

        :raises LifespanError: if it says that it failed.
        """
        self._task = asyncio.create_task(self._run())
        answer = await self._tell("lifespan.startup")
        if answer is not None and answer["type"] == "lifespan.startup.failed":
            await asyncio.wait([self._task])
            raise LifespanError(answer.get("message") or "a mounted application failed to start")

    async def stop(self) -> None:
        """Stop it, if it was started. :raises LifespanError: if it says that it failed."""
        answer = await self._tell("lifespan.shutdown")
        if self._task is not None:
            await asyncio.wait([self._task])
        if answer is not None and answer["type"] == "lifespan.shutdown.failed":
            raise LifespanError(answer.get("message") or "a mounted application failed to stop")

    async def _tell(self, event: str) -> Event | None:
        """What it answers; None if it has ended without an answer."""
        if self._task is None or self._task.done():
            return None
        self._events.put_nowait({"type": event})
        answer = asyncio.ensure_future(self._answers.get())
        try:
            await asyncio.wait([answer, self._task], return_when=asyncio.FIRST_COMPLETED)
        finally:
            heard = answer.done()
            answer.cancel()
        if heard:
            return answer.result()
        return None if self._answers.empty() else self._answers.get_nowait()

    async def _run(self) -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self._state}
        try:
            await self._app(scope, self._events.get, self._take)
        except Exception:
            # Before it answered this only means that it has no lifespan; later it is worth telling.
            level = logging.ERROR if self._answered else logging.DEBUG
            _log.log(level, "the lifespan of the mounted application %r ended", self._app, exc_info=True)

    async def _take(self, event: Event) -> None:
        self._answered = True
        self._answers.put_nowait(event)
