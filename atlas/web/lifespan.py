"""Startup and shutdown of an application (ASGI lifespan 2.0)."""

from __future__ import annotations

import inspect
import logging
import os
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from pathlib import Path
from typing import Any, TypeAlias

from atlas.errors import StartupError
from atlas.gateway.greenlets import in_greenlet
from atlas.gateway.mounted_lifespan import MountedLifespan
from atlas.types import ASGIApp, Receive, Scope, Send
from atlas.web.adapters import InGreenlet
from atlas.web.controllers import is_async

__all__ = ["Lifespan", "LifespanFunction"]

_Values: TypeAlias = Mapping[str, Any] | None
_Manager: TypeAlias = AbstractAsyncContextManager[_Values]
LifespanFunction: TypeAlias = Callable[[Any], _Manager | AbstractContextManager[_Values]]
_PACKAGE = str(Path(__file__).parents[1]) + os.sep
_log = logging.getLogger("atlas.web")


class Lifespan:
    """Runs the startup and shutdown functions of an application.

    A ``def`` function runs in a greenlet, where it may wait.

    :param app: the argument of functions that have a parameter.
    :param context: a function that takes the application and returns a context manager, async or sync. It is entered
        before the startup functions and left after the shutdown functions; what it yields, a mapping, is added to the
        state of the scope. Default None.
    :ivar mounted: ASGI applications whose lifespans run inside this one.
    :ivar prepare: called first at startup.
    :ivar drain: awaited first at shutdown, before the shutdown functions.
    """

    def __init__(self, app: Any, context: LifespanFunction | None = None) -> None:
        self._app = app
        self.mounted: Sequence[ASGIApp] = ()
        self.prepare: Callable[[], None] | None = None
        self.drain: Callable[[], Awaitable[None]] | None = None
        self._started: list[MountedLifespan] = []
        self._context = None if context is None else _async_manager(context)
        self._entered: _Manager | None = None
        self.on_startup: list[Callable[..., Any]] = []
        self.on_shutdown: list[Callable[..., Any]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a scope of type ``lifespan``, from ``lifespan.startup`` to ``lifespan.shutdown``."""
        await receive()
        try:
            await self._start(scope)
        except GeneratorExit:
            raise
        except BaseException as error:
            await send({"type": "lifespan.startup.failed", "message": _message(error)})
            if not isinstance(error, Exception):
                raise  # sys.exit() has a status
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        failures = await self._stop()
        if failures:
            await send({"type": "lifespan.shutdown.failed", "message": "; ".join(failures)})
        else:
            await send({"type": "lifespan.shutdown.complete"})

    async def _start(self, scope: Scope) -> None:
        if self.prepare is not None:
            self.prepare()
        if self._context is not None:
            entered = self._context(self._app)
            values = await entered.__aenter__()
            self._entered = entered
            if values:
                scope.setdefault("state", {}).update(values)
        try:
            for app in self.mounted:
                lifespan = MountedLifespan(app, scope.setdefault("state", {}))
                await lifespan.start()
                self._started.append(lifespan)
            for function in self.on_startup:
                await self._call(function)
        except BaseException:
            await self._stop_mounted()
            await self._leave()
            raise

    async def _stop_mounted(self) -> None:
        while self._started:
            await self._started.pop().stop()

    async def _stop(self) -> list[str]:
        """Call all shutdown functions, the last one first; return the messages of those that failed."""
        failures = []
        drain = [] if self.drain is None else [self.drain]
        for function in [*drain, *reversed(self.on_shutdown), self._stop_mounted, self._leave]:
            try:
                await self._call(function)
            except (Exception, SystemExit) as error:
                _log.exception("shutdown function failed")
                failures.append(_message(error))
        return failures

    async def _leave(self) -> None:
        entered, self._entered = self._entered, None
        if entered is not None:
            await entered.__aexit__(None, None, None)

    async def _call(self, function: Callable[..., Any]) -> None:
        arguments = (self._app,) if inspect.signature(function).parameters else ()
        result = function(*arguments) if is_async(function) else await in_greenlet(function, *arguments)
        if inspect.isawaitable(result):
            await result


def _async_manager(function: Any) -> Callable[[Any], _Manager]:
    """Wrap a lifespan function so that its context manager is async."""

    code = getattr(inspect.unwrap(function), "__code__", None) if callable(function) else None
    place = f"{code.co_filename}:{code.co_firstlineno}: " if code is not None else ""
    if inspect.isasyncgenfunction(function) or inspect.isgeneratorfunction(function):
        decorator = "asynccontextmanager" if inspect.isasyncgenfunction(function) else "contextmanager"
        raise StartupError(f"{place}lifespan: {function.__name__} needs the decorator @contextlib.{decorator}")
    if not callable(function) or inspect.iscoroutinefunction(function):
        raise StartupError(f"{place}lifespan: expected a function that returns a context manager, got {function!r}")

    def make(app: Any) -> _Manager:
        manager = function(app)
        if not isinstance(manager, AbstractAsyncContextManager | AbstractContextManager):
            kind = type(manager).__name__
            raise StartupError(
                f"{place}lifespan: expected a context manager from {function!r}, got an object of type {kind}"
            )
        return manager if isinstance(manager, AbstractAsyncContextManager) else InGreenlet(manager)

    return make


def _message(error: BaseException) -> str:
    """Return one line for a StartupError or SystemExit, for others the traceback without frames of Atlas."""
    if isinstance(error, SystemExit):
        return f"a function of the lifespan called sys.exit({error.code!r})"
    if isinstance(error, StartupError):
        return str(error)
    told = traceback.TracebackException.from_exception(error)
    each: traceback.TracebackException | None = told
    while each is not None:
        own = [
            frame
            for frame in each.stack
            if not (frame.filename.startswith(_PACKAGE) or frame.filename.endswith(".pyx"))
        ]
        each.stack = traceback.StackSummary.from_list(own)
        each = each.__cause__ or each.__context__
    return "".join(told.format()).rstrip()
