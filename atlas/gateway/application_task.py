"""An ASGI application in a task of its own, whose response is held back until it is sent or replaced.

The application runs until it sends ``http.response.start``; that ``send`` waits. :meth:`ApplicationTask.respond` lets
the application continue; each further ``send`` calls the ``send`` of the server, so events are not queued.
Informational events, such as early hints, are held back with the start, since the response may be replaced.
:meth:`ApplicationTask.close` ends an application whose response is not sent.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from contextvars import ContextVar, copy_context
from typing import Any

from atlas.errors import ClientDisconnected
from atlas.gateway.disconnects import is_disconnect
from atlas.types import ASGIApp, Event, Receive, Scope, Send

__all__ = ["ApplicationTask"]

# Informational events: they come before the start of a response, and do not belong to it.
_BEFORE_START = frozenset(["http.response.early_hint", "http.response.push", "http.response.debug"])
_CLOSE_TIMEOUT = 1.0  # seconds until a closed application is cancelled
_MISSING: Any = object()
_log = logging.getLogger("atlas.web")


class ApplicationTask:
    """Runs an ASGI application for one request.

    The task begins with a copy of the current context. Context variables that the application sets before its response
    starts are then set in the context of the caller too.

    :param app: an ASGI 3 application.
    :param scope: its scope.
    :param receive: its ``receive``.
    :param own: context variables that are not set in the context of the caller; default none.
    """

    __slots__ = (
        "_app",
        "_cancelled",
        "_closed",
        "_context",
        "_early",
        "_ended",
        "_failure",
        "_given",
        "_own",
        "_receive",
        "_receiving",
        "_released",
        "_send",
        "_start",
        "_started",
        "_task",
    )

    def __init__(self, app: ASGIApp, scope: Scope, receive: Receive, own: Iterable[ContextVar[Any]] = ()) -> None:
        loop = asyncio.get_running_loop()
        self._app = app
        self._receive = receive
        self._own = frozenset(own)
        self._given = copy_context()
        self._context = self._given.copy()
        self._receiving: set[asyncio.Timeout] = set()  # the calls of receive that wait
        self._early: list[Event] = []  # what the application has sent before that event
        self._start: Event | None = None  # the event that starts the response
        self._send: Send | None = None  # where the response goes
        self._closed = False
        self._cancelled = False  # by this object, not from within
        self._failure: BaseException | None = None
        self._started: asyncio.Future[None] = loop.create_future()
        self._released: asyncio.Future[None] = loop.create_future()
        self._ended: asyncio.Future[None] = loop.create_future()
        task = loop.create_task(self._run(scope), context=self._context)
        self._task: asyncio.Task[None] | None = task
        task.add_done_callback(self._take_end)

    async def start(self) -> Event:
        """Wait until the response starts.

        :returns: the ``http.response.start`` event.
        :raises RuntimeError: if the application returns without a response.
        :raises Exception: what the application raises before its response starts.
        """
        await self._wait(self._started)
        self._raise_failure()
        if self._start is None:
            raise RuntimeError(f"the ASGI application {self._app!r} returned without a response")
        self._take_over()
        return self._start

    async def respond(self, start: Event, send: Send) -> None:
        """Send the response, and wait until the application has returned.

        :param start: replaces the ``http.response.start`` event of the application.
        :param send: ASGI's ``send``.
        :raises RuntimeError: if the response was sent or closed before.
        :raises Exception: what the application raises.
        """
        if self._send is not None or self._closed:
            raise RuntimeError("the response of an ASGI application can be sent once")
        self._start, self._send = start, send
        _finish(self._released)
        await self._wait(self._ended)
        self._raise_failure()

    async def close(self) -> None:
        """End an application whose response is not sent.

        Its ``receive`` returns ``http.disconnect`` and its ``send`` raises. If it has not returned after a second, it
        is cancelled. Its ``finally`` blocks have run when this returns.
        """
        if self._task is None:
            return
        self._closed = True
        _finish(self._released)
        now = asyncio.get_running_loop().time()
        for waiting in self._receiving:
            waiting.reschedule(now)
        try:
            await asyncio.wait([self._task], timeout=_CLOSE_TIMEOUT)
        finally:
            if self._task is not None:
                await self._cancel()
        self._log_failure()

    async def _run(self, scope: Scope) -> None:
        try:
            await self._app(scope, self._take_receive, self._take_event)
        except SystemExit as error:  # in a task it would end the event loop
            raise RuntimeError(f"the ASGI application {self._app!r} raised SystemExit") from error

    async def _take_receive(self) -> Event:
        """The application's ``receive``."""
        if self._closed:
            return {"type": "http.disconnect"}
        waiting = asyncio.timeout(None)
        self._receiving.add(waiting)
        try:
            async with waiting:
                return await self._receive()
        except TimeoutError:
            if not waiting.expired():
                raise
            return {"type": "http.disconnect"}
        finally:
            self._receiving.discard(waiting)
            del waiting  # it refers to the task, whose CancelledError refers to this frame

    async def _take_event(self, event: Event) -> None:
        """The application's ``send``."""
        if self._send is None:
            if self._start is None and event["type"] in _BEFORE_START:
                self._early.append(event)
                return
            if not self._closed:
                event = await self._hold(event)
        while self._early:
            await self._opened()(self._early.pop(0))
        await self._opened()(event)

    def _opened(self) -> Send:
        """Return the ``send`` that :meth:`respond` was given. :raises ClientDisconnected: if it was not called."""
        if self._send is None:
            raise ClientDisconnected("the response of this application is not sent")
        return self._send

    async def _hold(self, event: Event) -> Event:
        """Hold the start of the response back until it is sent or closed."""
        if event["type"] != "http.response.start":
            raise RuntimeError(f"expected http.response.start, got {event['type']}")
        if self._start is not None:
            raise RuntimeError("expected one http.response.start, got a second one")
        self._start = event
        _finish(self._started)
        await self._released
        return self._start

    def _take_end(self, task: asyncio.Task[None]) -> None:
        self._task = None
        if not task.cancelled():
            self._failure = task.exception()
        elif not self._cancelled:
            self._failure = RuntimeError(f"the ASGI application {self._app!r} was cancelled")
        _finish(self._started)
        _finish(self._ended)

    async def _wait(self, future: asyncio.Future[None]) -> None:
        """Wait for a future. If the caller is cancelled, so is the application."""
        try:
            await future
        except GeneratorExit:  # a coroutine that is closed cannot wait any more
            if self._task is not None:
                self._task.cancel()
            raise
        except BaseException:
            await self._cancel()
            raise

    async def _cancel(self) -> None:
        """Cancel the application and wait for its end, also if the caller is cancelled again meanwhile."""
        self._cancelled = True
        if self._task is not None:
            self._task.cancel()
        while self._task is not None:
            try:
                await asyncio.wait([self._task])
            except asyncio.CancelledError:
                pass
        self._log_failure()

    def _log_failure(self) -> None:
        """Log what a closed or cancelled application raised: there is no response that it could change."""
        failure, self._failure = self._failure, None
        if failure is not None and not is_disconnect(failure):
            _log.error("the ASGI application %r failed while it was closed", self._app, exc_info=failure)

    def _raise_failure(self) -> None:
        failure, self._failure = self._failure, None
        if failure is not None:
            try:
                raise failure
            finally:
                del failure  # its traceback refers to this frame

    def _take_over(self) -> None:
        for variable, value in self._context.items():
            if self._given.get(variable, _MISSING) is not value and variable not in self._own:
                variable.set(value)


def _finish(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
