"""The lifespan of a mounted ASGI application."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from atlas.errors import LifespanError
from atlas.types import ASGIApp, Event

__all__ = ["MountedLifespan"]

_log = logging.getLogger("atlas.web")


class MountedLifespan:
    """Runs the lifespan of an ASGI application in a task of its own (ASGI lifespan 2.0).

    :param app: an ASGI 3 application.
    :param state: the ``state`` of the lifespan scope, to which the application adds entries.
    """

    def __init__(self, app: ASGIApp, state: dict[str, Any]) -> None:
        self._app = app
        self._state = state
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._replies: asyncio.Queue[Event] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None
        self._replied = False

    async def start(self) -> None:
        """Start the application. One that raises an exception does not support the lifespan protocol (ASGI lifespan,
        "Scope").

        :raises LifespanError: if the application replies that its startup has failed.
        """
        self._task = asyncio.create_task(self._run())
        reply = await self._request("lifespan.startup")
        if reply is not None and reply["type"] == "lifespan.startup.failed":
            await asyncio.wait([self._task])
            raise LifespanError(reply.get("message") or "a mounted application failed to start")

    async def stop(self) -> None:
        """Stop the application, if it was started.

        :raises LifespanError: if the application replies that its shutdown has failed.
        """
        reply = await self._request("lifespan.shutdown")
        if self._task is not None:
            await asyncio.wait([self._task])
        if reply is not None and reply["type"] == "lifespan.shutdown.failed":
            raise LifespanError(reply.get("message") or "a mounted application failed to stop")

    async def _request(self, event: str) -> Event | None:
        """Send an event to the application; return its reply, or None if it ends without one."""
        if self._task is None or self._task.done():
            return None
        self._events.put_nowait({"type": event})
        reply = asyncio.ensure_future(self._replies.get())
        try:
            await asyncio.wait([reply, self._task], return_when=asyncio.FIRST_COMPLETED)
        finally:
            received = reply.done()
            reply.cancel()
        if received:
            return reply.result()
        return None if self._replies.empty() else self._replies.get_nowait()

    async def _run(self) -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self._state}
        try:
            await self._app(scope, self._events.get, self._send)
        except Exception:
            # Before the first reply this means that the application does not support the lifespan protocol.
            level = logging.ERROR if self._replied else logging.DEBUG
            _log.log(level, "the lifespan of the mounted application %r ended", self._app, exc_info=True)

    async def _send(self, event: Event) -> None:
        self._replied = True
        self._replies.put_nowait(event)
