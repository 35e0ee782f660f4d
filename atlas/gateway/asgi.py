"""The gateway to ASGI 3 applications."""

from __future__ import annotations

import asyncio
from contextvars import copy_context

from atlas._speedups.calls.gateways import ASGICaller
from atlas.gateway.request_failures import RequestFailures
from atlas.types import ASGIApp

__all__ = ["ASGIGateway"]


class ASGIGateway(RequestFailures, ASGICaller):
    """Calls ``app(scope, receive, send)`` for each request, in a task of its own.

    The context of each request is a copy of the context in which the gateway was made.

    :param app: an ASGI 3 application.
    :param loop: the event loop; it has to be the running one when a request starts.
    """

    def __new__(cls, app: ASGIApp, loop: asyncio.AbstractEventLoop) -> ASGIGateway:
        return super().__new__(cls, app, loop, copy_context(), asyncio.Task)
