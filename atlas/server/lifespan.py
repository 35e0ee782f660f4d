"""An application's life beside its requests: ``lifespan.startup`` before the first, ``lifespan.shutdown`` after all.

Source: ASGI, Lifespan Protocol 2.0.
"""

from __future__ import annotations

import asyncio
import enum
import logging
from typing import Any, Literal

from atlas.errors import LifespanError
from atlas.types import ASGIApp, Event

__all__ = ["Lifespan"]

_logger = logging.getLogger("atlas.server")

_PARTING = 0.1  # seconds that an application which refused to start has to come to its end by itself


class _Phase(enum.Enum):
    NEW = "not asked yet"
    STARTING = "starting up"
    UP = "up"
    STOPPING = "shutting down"
    DOWN = "down"
    UNSUPPORTED = "unsupported"


class Lifespan:
    """Runs an application's lifespan in a task of its own.

    :param app: the ASGI application.
    :param mode: ``"on"`` insists that the application supports it, ``"auto"`` goes on without, ``"off"`` doesn't ask.
    """

    def __init__(self, app: ASGIApp, mode: Literal["auto", "on", "off"]) -> None:
        self._app = app
        self._mode = mode
        self._state: dict[str, Any] = {}
        self._phase = _Phase.DOWN if mode == "off" else _Phase.NEW
        self._received = 0
        self._message: str | None = None  # why the start failed
        self._last_message: str | None = None  # why the shutdown did
        self._task: asyncio.Task[None] | None = None
        self._stop = asyncio.Event()
        self._answered = asyncio.Event()

    @property
    def state(self) -> dict[str, Any] | None:
        """What the application put into ``scope["state"]`` while it started; None if it has no lifespan."""
        return self._state if self._phase is _Phase.UP else None

    async def startup(self) -> None:
        """Start the application up.

        :raises LifespanError: it refused, with its own message; it raised; or it has no lifespan and ``on`` insists.
        """
        if self._phase is _Phase.DOWN:
            return
        self._phase = _Phase.STARTING
        self._task = asyncio.create_task(self._run(), name="atlas lifespan")
        await self._answered.wait()
        if self._phase is _Phase.UNSUPPORTED and self._mode == "on":
            raise LifespanError("the application has no lifespan, and --lifespan on insists on it")
        if self._message is not None:
            await self._end_failed(self._task)
            raise LifespanError(self._message)

    async def shutdown(self, patience: float) -> None:
        """Shut the application down; gives up, with a line in the log, after ``patience`` seconds."""
        if self._phase is not _Phase.UP or self._task is None:
            return
        if self._task.done():  # it ended while it was up; there is nobody to be told
            self._phase = _Phase.DOWN
            return
        self._phase = _Phase.STOPPING
        self._answered.clear()
        self._stop.set()
        try:
            async with asyncio.timeout(patience):
                await self._answered.wait()
                await self._task
        except TimeoutError:
            _logger.error("the application's lifespan shutdown took more than %g seconds: it is given up", patience)
            self._task.cancel()
        if self._last_message is not None:
            _logger.error("the application's lifespan shutdown failed: %s", self._last_message)
        self._phase = _Phase.DOWN

    async def _end_failed(self, task: asyncio.Task[None]) -> None:
        """It has refused to start; some listen on for a shutdown that won't be asked for."""
        await asyncio.wait({task}, timeout=_PARTING)
        task.cancel()

    async def _run(self) -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self._state}
        try:
            await self._app(scope, self._receive, self._send)
        except Exception as error:
            self._raised(error)
        except asyncio.CancelledError as error:
            if self._phase is _Phase.STARTING:
                self._received = max(self._received, 1)
            self._raised(error)
            raise
        else:
            if self._phase is _Phase.STARTING:
                self._unsupported()
        finally:
            self._answered.set()

    def _raised(self, error: BaseException) -> None:
        if self._phase is _Phase.STARTING and self._message is None:
            # An application that was not made for it fails before it asks for the event; one that asked, and then
            # failed, meant to start.
            if self._received == 0:
                _logger.debug("the application has no lifespan: %r", error)
                self._unsupported()
                return
            _logger.error("exception in the application's lifespan", exc_info=error)
            self._message = f"the application's start-up raised {type(error).__name__}: {error}"
        elif self._phase in (_Phase.UP, _Phase.STOPPING):
            _logger.error("exception in the application's lifespan", exc_info=error)

    def _unsupported(self) -> None:
        if self._phase is _Phase.STARTING and self._message is None:
            self._phase = _Phase.UNSUPPORTED

    async def _receive(self) -> Event:
        self._received += 1
        if self._received == 1:
            return {"type": "lifespan.startup"}
        await self._stop.wait()
        if self._received > 2:
            raise RuntimeError("expected no receive() after lifespan.shutdown")
        return {"type": "lifespan.shutdown"}

    async def _send(self, event: Event) -> None:
        kind = event["type"]
        if kind == "lifespan.startup.complete" and self._phase is _Phase.STARTING:
            self._phase = _Phase.UP
        elif kind == "lifespan.startup.failed" and self._phase is _Phase.STARTING:
            self._message = str(event.get("message") or "the application refused to start, and gave no reason")
        elif kind == "lifespan.shutdown.complete" and self._phase is _Phase.STOPPING:
            pass
        elif kind == "lifespan.shutdown.failed" and self._phase is _Phase.STOPPING:
            self._last_message = str(event.get("message") or "no reason given")
        else:
            if not str(kind).startswith("lifespan."):
                self._received = 0  # it takes everything for a request: it wasn't made for a lifespan
            raise RuntimeError(f"expected no {kind!r} in a lifespan that is {self._phase.value}")
        self._answered.set()
