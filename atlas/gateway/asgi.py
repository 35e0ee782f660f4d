"""Calls an ASGI 3 application: one fresh context and one real task per request."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import copy_context
from functools import partial
from types import CoroutineType
from typing import Any

from atlas._speedups.exchange import Exchange
from atlas.errors import ClientDisconnected
from atlas.gateway.files import send_file
from atlas.gateway.tasks import eager_spawner
from atlas.types import ASGIApp, Event, Receive, Scope, Send

__all__ = ["ASGIGateway"]

_logger = logging.getLogger("atlas.server")


class ASGIGateway:
    """Calls ``app(scope, receive, send)`` for each request.

    :param app: an ASGI 3 application.
    :param loop: the event loop; must be the running one whenever :meth:`start` is called.

    Each request sees a copy of the context that the gateway was made in.
    """

    def __init__(self, app: ASGIApp, loop: asyncio.AbstractEventLoop) -> None:
        self._app = app if _is_coroutine_function(app) else partial(_awaited, app)
        self._context = copy_context()
        self._spawn = eager_spawner(loop)
        self.tasks: set[asyncio.Task[None]] = set()
        """The tasks of requests that an application is still working on."""

    def start(self, exchange: Exchange) -> None:
        """Call the application. Most of the time it has answered, and its task is done, when this returns."""
        context = self._context.copy()
        try:
            coroutine: Any = self._app(exchange.scope(), exchange.receive, exchange.send)
        except Exception as error:  # the application's own code, called with the wrong number of arguments for one
            self._failed(exchange, error)
            return
        if type(coroutine) is not CoroutineType:
            coroutine = _await(coroutine)
        task = self._spawn(coroutine, context)
        if task.done():
            self._ended(exchange, task)
        else:
            exchange.task = task
            self.tasks.add(task)
            task.add_done_callback(partial(self._ended, exchange))

    def disconnect(self, exchange: Exchange) -> None:
        """Nothing to do: ``receive`` and ``send`` tell the application, as ASGI has it."""

    def send_file(self, exchange: Exchange, event: Event) -> Coroutine[Any, Any, None]:
        return send_file(exchange, event)

    def cancel(self) -> None:
        """Cancel all requests that are still being worked on."""
        for task in list(self.tasks):
            task.cancel()

    def _ended(self, exchange: Exchange, task: asyncio.Task[None]) -> None:
        exchange.task = None
        self.tasks.discard(task)
        if task.cancelled():
            exchange.finish_application()
            return
        error = task.exception()
        if error is not None:
            self._failed(exchange, error)
        elif not exchange.finish_application():
            _logger.error("the application returned without a complete response: %r", exchange.head)

    def _failed(self, exchange: Exchange, error: BaseException) -> None:
        gone = isinstance(error, ClientDisconnected) and exchange.lost
        exchange.finish_application()
        if gone:
            _logger.debug("the client went away: %r", exchange.head)
        else:
            _logger.error("exception in the application: %r", exchange.head, exc_info=error)


def _is_coroutine_function(app: Callable[..., object]) -> bool:
    return inspect.iscoroutinefunction(app) or inspect.iscoroutinefunction(type(app).__call__)


async def _awaited(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Call an application that isn't ``async def`` itself: what it does before it returns its awaitable belongs to the
    request's task and context as well."""
    await app(scope, receive, send)


async def _await(awaitable: Awaitable[None]) -> None:
    await awaitable
