"""The native gateway: calls the handlers of an Atlas application without ASGI."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import ContextVar, copy_context
from typing import Any, Protocol

from atlas._speedups.calls.gateways import NativeCaller
from atlas._speedups.calls.handlers import RouteTable
from atlas._speedups.calls.request import RequestData
from atlas._speedups.http.exchange import Exchange
from atlas.gateway.greenlets import Greenlets
from atlas.gateway.page_refresh import PageRefresh
from atlas.gateway.request_failures import RequestFailures
from atlas.types import Receive, Scope, Send

__all__ = ["NativeApplication", "NativeGateway", "is_native"]

_MAX_CHECK_INTERVAL = 1.0  # seconds between two checks of a client that was probed
_FIRST_CHUNK_TIME = 0.05  # seconds for the first chunk of a stream: most are there at once, and need no probe


class NativeApplication(Protocol):
    """The interface of an application that the native gateway calls."""

    @property
    def route_table(self) -> RouteTable:
        """The routes and their handlers."""

    @property
    def current(self) -> ContextVar[Any]:
        """The context variable of the current request."""

    @property
    def buffered_call(self) -> Callable[..., Any]:
        """The ``__call__`` of buffered responses, which are sent in one piece."""

    @property
    def greenlets(self) -> Greenlets:
        """Runs sync code."""

    def refresh_pages(self, pages: PageRefresh) -> None:
        """Have open pages load again when files change; called before the start."""

    async def close_applications(self, request: Any) -> None:
        """Close the ASGI applications of a request whose responses were not sent."""

    async def complete_response(self, request: Any, response: Any) -> Any:
        """Complete the response of a handler that could not wait for it."""

    def start_background_tasks(self, request: Any) -> None:
        """Start the background tasks of a request that is finished."""


class NativeGateway(RequestFailures, NativeCaller):
    """Calls the handlers of an Atlas application.

    :param application: the application.
    :param loop: the event loop; it has to be the running one when a request starts.
    """

    def __new__(cls, application: NativeApplication, loop: asyncio.AbstractEventLoop) -> NativeGateway:
        return super().__new__(cls, application, application.greenlets.new_pool(), loop, copy_context(), asyncio.Task)

    def stream(self, response: Any, exchange: Exchange, request: RequestData) -> Coroutine[Any, Any, None]:
        """Return a coroutine that sends a response which is not buffered, by calling it as an ASGI application."""
        if response.pending:
            return self._complete_and_stream(response, exchange, request)
        send: Callable[[Scope, Receive, Send], Coroutine[Any, Any, None]] = response
        return send(request.scope, exchange.receive, exchange.send)

    async def _complete_and_stream(self, response: Any, exchange: Exchange, request: RequestData) -> None:
        response = await self.route_table.app.complete_response(request, response)
        await response(request.scope, exchange.receive, exchange.send)

    def close_applications(self, request: RequestData) -> Coroutine[Any, Any, None]:
        """Return a coroutine that closes the ASGI applications of a request whose responses were not sent."""
        close: Callable[[RequestData], Coroutine[Any, Any, None]] = self.route_table.app.close_applications
        return close(request)

    def expect_stream(self, exchange: Exchange) -> None:
        """A stream has begun. If its first chunk is not there soon, look whether the client has disconnected.

        :param exchange: the exchange.
        """
        asyncio.get_running_loop().call_later(_FIRST_CHUNK_TIME, self.watch_stream, exchange)

    def watch(self, exchange: Exchange, seconds: float = 0.01) -> None:
        """Check after ``seconds``, and then at growing intervals, whether a client that was probed has sent a reset.

        The event loop does not report it: it stopped reading the socket when the client closed its side.

        :param exchange: the exchange.
        :param seconds: time until the first check, default 0.01.
        """
        asyncio.get_running_loop().call_later(seconds, self._check, exchange, seconds)

    def _check(self, exchange: Exchange, seconds: float) -> None:
        if exchange.hung_up:
            exchange.abort()
        elif exchange.task is not None:
            self.watch(exchange, min(2 * seconds, _MAX_CHECK_INTERVAL))


def is_native(app: Any) -> bool:
    """Return whether the native gateway can call an application: an Atlas application whose ``__call__`` was not
    replaced by a subclass or a wrapper."""
    route_table = getattr(app, "route_table", None)
    return isinstance(route_table, RouteTable) and route_table.app is app and app.is_native
