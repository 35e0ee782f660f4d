"""The gateway to ASGI 3 applications."""

from __future__ import annotations

import asyncio
from contextvars import copy_context

from atlas._speedups.calls.asgi import ASGICaller
from atlas.gateway.endings import Endings
from atlas.types import ASGIApp

__all__ = ["ASGIGateway"]


class ASGIGateway(Endings, ASGICaller):
    """Calls ``app(scope, receive, send)`` for each request, in one fresh context and one real task.

    :param app: an ASGI 3 application.
    :param loop: the event loop; must be the running one whenever a request starts.

    Each request sees a copy of the context that the gateway was made in.
    """

    def __new__(cls, app: ASGIApp, loop: asyncio.AbstractEventLoop) -> ASGIGateway:
        return super().__new__(cls, app, loop, copy_context(), asyncio.Task)
