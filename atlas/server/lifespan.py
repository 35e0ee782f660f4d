"""The lifespan of an application: ``lifespan.startup`` before its first request, ``lifespan.shutdown`` after the last.

Source: the ASGI specification, Lifespan Protocol 2.0.
"""

from __future__ import annotations

import asyncio
import enum
import logging
import traceback
from typing import Any, Literal

from atlas.errors import LifespanError
from atlas.gateway.lifespan_support import lacks_lifespan
from atlas.server.logs.configuration import enable_loggers
from atlas.server.signals import StartupInterrupted
from atlas.types import ASGIApp, Event

__all__ = ["Lifespan"]

_logger = logging.getLogger("atlas.server")

_FAILED_STARTUP_TIMEOUT = 0.1  # seconds that the task of an application has to end after a failed startup
_CANCEL_TIMEOUT = 2.0  # seconds that a startup that was cancelled has to end
_EXITS = (SystemExit, KeyboardInterrupt, StartupInterrupted)


class _Phase(enum.Enum):
    NEW = "not started"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    UNSUPPORTED = "unsupported"


class Lifespan:
    """Runs the lifespan of an application in a task of its own.

    :param app: the ASGI application.
    :param mode: ``"auto"``: the application may support the protocol; ``"on"``: it has to; ``"off"``: it is not called.
    """

    def __init__(self, app: ASGIApp, mode: Literal["auto", "on", "off"]) -> None:
        self._app = app
        self._mode = mode
        self._loop: asyncio.AbstractEventLoop | None = None
        self._state: dict[str, Any] = {}
        self._phase = _Phase.STOPPED if mode == "off" else _Phase.NEW
        self._received = 0
        self._startup_failure: str | None = None
        self._startup_exit: BaseException | None = None
        self._shutdown_failure: str | None = None
        self._task: asyncio.Task[None] | None = None
        self._stop = asyncio.Event()
        self._answered = asyncio.Event()

    @property
    def state(self) -> dict[str, Any] | None:
        """The lifespan state: what the application stored in ``scope["state"]``; None if it has no lifespan."""
        return self._state if self._phase is _Phase.RUNNING else None

    async def startup(self) -> None:
        """Send ``lifespan.startup`` and wait for the answer. If it is cancelled, so is the startup of the application.

        :raises LifespanError: if the startup failed (with the message of the application) or raised, or if the
            application has no lifespan and the mode is ``"on"``.
        :raises SystemExit, KeyboardInterrupt: if the application has raised it.
        """
        if self._phase is _Phase.STOPPED:
            return
        self._phase = _Phase.STARTING
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.create_task(self._run(), name="atlas lifespan")
        try:
            await self._answered.wait()
        except asyncio.CancelledError:
            await self._cancel(self._task, _CANCEL_TIMEOUT)
            raise
        if self._phase is _Phase.UNSUPPORTED and self._mode == "on":
            raise LifespanError("the application has no lifespan, which --lifespan on requires")
        if self._startup_failure is not None:
            await asyncio.wait({self._task}, timeout=_FAILED_STARTUP_TIMEOUT)
            self._task.cancel()  # some applications go on to wait for lifespan.shutdown
        if self._startup_exit is not None:
            raise self._startup_exit
        if self._startup_failure is not None:
            raise LifespanError(self._startup_failure)

    def is_running_code(self) -> bool:
        """Whether a step of the application's startup is being run by the event loop at this moment."""
        return self._phase is _Phase.STARTING and asyncio.current_task(self._loop) is self._task

    async def shutdown(self, timeout: float) -> None:  # noqa: ASYNC109 - what is left behind is cancelled and logged
        """Send ``lifespan.shutdown`` and wait until the application has ended. A failure is logged.

        :param timeout: seconds after which the task of the application is cancelled, and an error is logged.
        """
        if self._phase is not _Phase.RUNNING or self._task is None:
            return
        if self._task.done():  # the application returned without waiting for the shutdown
            self._phase = _Phase.STOPPED
            return
        self._phase = _Phase.STOPPING
        self._answered.clear()
        self._stop.set()
        try:
            async with asyncio.timeout(timeout):
                await self._answered.wait()
                await self._task
        except TimeoutError:
            _logger.error("the application's lifespan shutdown took more than %g seconds and was cancelled", timeout)
            self._task.cancel()
        if self._shutdown_failure is not None:
            _logger.error("the application's lifespan shutdown failed: %s", self._shutdown_failure)
        self._phase = _Phase.STOPPED

    async def _cancel(self, task: asyncio.Task[None], timeout: float) -> None:  # noqa: ASYNC109 - it goes on then
        self._phase = _Phase.STOPPED
        task.cancel()
        await asyncio.wait({task}, timeout=timeout)

    async def _run(self) -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self._state}
        try:
            await self._app(scope, self._receive, self._send)
        except asyncio.CancelledError as error:
            if self._phase is _Phase.STARTING:
                self._received = max(self._received, 1)
            self._raised(error)
            raise
        except BaseException as error:
            # SystemExit, too, is kept for startup(): from a task it would reach the loop, and nothing that waits here.
            self._raised(error)
        else:
            if self._phase is _Phase.STARTING:
                self._unsupported()
        finally:
            self._answered.set()

    def _raised(self, error: BaseException) -> None:
        enable_loggers()
        if self._phase is _Phase.STARTING and isinstance(error, _EXITS):
            if isinstance(error, SystemExit):
                _logger.error("the application's startup called sys.exit(%r)%s", error.code, _place(error))
            self._startup_exit = error
        elif self._phase is _Phase.STARTING and self._startup_failure is None:
            if lacks_lifespan(error, received=self._received > 0):
                _logger.debug("the application has no lifespan: %r", error)
                self._unsupported()
                return
            _logger.error("exception in the application's lifespan", exc_info=error)
            self._startup_failure = f"the application's startup raised {type(error).__name__}: {error}"
        elif self._phase in (_Phase.RUNNING, _Phase.STOPPING):
            _logger.error("exception in the application's lifespan", exc_info=error)

    def _unsupported(self) -> None:
        if self._phase is _Phase.STARTING and self._startup_failure is None:
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
        event_type = event["type"]
        if event_type == "lifespan.startup.complete" and self._phase is _Phase.STARTING:
            self._phase = _Phase.RUNNING
        elif event_type == "lifespan.startup.failed" and self._phase is _Phase.STARTING:
            self._startup_failure = str(event.get("message") or "the application failed to start, without a message")
        elif event_type == "lifespan.shutdown.complete" and self._phase is _Phase.STOPPING:
            pass
        elif event_type == "lifespan.shutdown.failed" and self._phase is _Phase.STOPPING:
            self._shutdown_failure = str(event.get("message") or "no message")
        else:
            if not str(event_type).startswith("lifespan."):
                self._received = 0  # the application answers every scope as a request: it has no lifespan
            raise RuntimeError(f"expected no {event_type!r} in a lifespan that is {self._phase.value}")
        self._answered.set()


def _place(error: BaseException) -> str:
    """Return the line that raised, for a log line."""
    frames = traceback.extract_tb(error.__traceback__)
    return f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""
