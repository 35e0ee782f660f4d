"""The lifespan of a mounted ASGI application."""

from __future__ import annotations

import asyncio
import logging
import traceback
from typing import Any

from atlas.errors import LifespanError
from atlas.gateway.lifespan_support import lacks_lifespan
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
        self._received = False
        self._error: BaseException | None = None

    async def start(self) -> None:
        """Start the application.

        One that raises an exception for the scope, or takes the event for that of a request, does not support the
        lifespan protocol (ASGI lifespan, "Scope"). Another one that raises after it has received the event has failed
        to start.

        :raises LifespanError: if the application replies that its startup has failed, or raises.
        :raises SystemExit: if the application has raised it.
        """
        self._task = asyncio.create_task(self._run())
        reply = await self._request("lifespan.startup")
        if reply is not None and reply["type"] == "lifespan.startup.failed":
            await asyncio.wait([self._task])
            raise LifespanError(reply.get("message") or "a mounted application failed to start")
        if reply is None and self._error is not None:
            self._raise(self._error)

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

    def _raise(self, error: BaseException) -> None:
        if not isinstance(error, Exception):
            raise error
        if not lacks_lifespan(error, received=self._received):
            text = "".join(traceback.format_exception(error)).rstrip()
            raise LifespanError(f"the startup of the mounted application {self._app!r} failed:\n{text}")
        _log.debug("the mounted application %r has no lifespan", self._app, exc_info=error)

    async def _run(self) -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self._state}
        try:
            await self._app(scope, self._receive, self._send)
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            if self._replied:
                _log.exception("the lifespan of the mounted application %r ended", self._app)
            else:
                self._error = error  # for start(): a SystemExit that leaves the task would only reach the event loop

    async def _receive(self) -> Event:
        event = await self._events.get()
        self._received = True
        return event

    async def _send(self, event: Event) -> None:
        self._replied = True
        self._replies.put_nowait(event)
