"""The native gateway: an application of our own is called without scope, events and tasks, unless somebody asks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import ContextVar, copy_context
from typing import Any, Protocol

from atlas._speedups.calls.native import NativeCaller
from atlas._speedups.calls.request import RequestData
from atlas._speedups.calls.route_table import RouteTable
from atlas._speedups.http.exchange import Exchange
from atlas.gateway.greenlets import Greenlets
from atlas.gateway.request_failures import RequestFailures
from atlas.types import Receive, Scope, Send

__all__ = ["NativeApplication", "NativeGateway", "is_native"]

_SELDOM = 1.0  # seconds between two looks at a client that may be gone


class NativeApplication(Protocol):
    """What an application of our own brings, so that it can be called natively."""

    @property
    def dispatch(self) -> RouteTable:
        """Its routes and what answers them."""

    @property
    def current(self) -> ContextVar[Any]:
        """Names the current request."""

    @property
    def plain_call(self) -> Callable[..., Any]:
        """The ``__call__`` of responses that are sent as they are, in one piece."""

    @property
    def greenlets(self) -> Greenlets:
        """What runs sync code that may wait."""

    async def close_applications(self, request: Any) -> None:
        """End the ASGI applications of a request whose responses were not sent."""

    def start_jobs(self, request: Any) -> None:
        """Start the background work of a request that is over."""


class NativeGateway(RequestFailures, NativeCaller):
    """Calls the handlers of an application of our own.

    :param application: the application.
    :param loop: the event loop; must be the running one whenever a request starts.
    """

    def __new__(cls, application: NativeApplication, loop: asyncio.AbstractEventLoop) -> NativeGateway:
        return super().__new__(cls, application, application.greenlets.new_pool(), loop, copy_context(), asyncio.Task)

    def stream(self, response: Any, exchange: Exchange, view: RequestData) -> Coroutine[Any, Any, None]:
        """Send a response that is more than a status, fields and a body: as the ASGI application that it is."""
        send: Callable[[Scope, Receive, Send], Coroutine[Any, Any, None]] = response
        return send(view.scope, exchange.receive, exchange.send)

    def close_applications(self, view: RequestData) -> Coroutine[Any, Any, None]:
        """End the ASGI applications of a request whose responses were not sent."""
        close: Callable[[RequestData], Coroutine[Any, Any, None]] = self.dispatch.app.close_applications
        return close(view)

    def watch(self, exchange: Exchange, seconds: float = 0.01) -> None:
        """Look after ``seconds``, and again and again, whether a client that was probed has answered with a reset.

        The event loop doesn't tell: it has stopped to listen at the end of the client's stream.
        """
        asyncio.get_running_loop().call_later(seconds, self._look, exchange, seconds)

    def _look(self, exchange: Exchange, seconds: float) -> None:
        if exchange.hung_up:
            exchange.abort()
        elif exchange.task is not None:
            self.watch(exchange, min(2 * seconds, _SELDOM))


def is_native(app: Any) -> bool:
    """Whether an application can be called natively: one of our own, whose ``__call__`` nobody has replaced."""
    dispatch = getattr(app, "dispatch", None)
    return isinstance(dispatch, RouteTable) and dispatch.app is app and app.answers_natively
