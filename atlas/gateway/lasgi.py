"""LASGI: ASGI for plain code, the interface that Atlas began with.

The scope and the events are those of ASGI 3, but nothing is awaited::

    def app(scope, receive, send):
        event = receive()
        send({"type": "http.response.start", "status": 200, "headers": []})
        send({"type": "http.response.body", "body": b"Hello"})

Each call runs in a greenlet, in a task and a context of its own. ``receive`` and ``send`` wait where they have to, and
so does :func:`~atlas.gateway.greenlets.await_`; the event loop serves everybody else meanwhile.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from atlas._speedups.http.request_body import finished
from atlas.gateway.greenlets import Greenlets, await_, can_wait
from atlas.types import Event, Receive, Scope, Send

__all__ = ["LASGIApp", "PlainReceive", "PlainSend", "PlainToASGI"]

PlainReceive: TypeAlias = Callable[[], Event]
PlainSend: TypeAlias = Callable[[Event], None]
LASGIApp: TypeAlias = Callable[[Scope, PlainReceive, PlainSend], Any]

_DONE = finished()  # what our own ``send`` returns where nothing has to wait


class PlainToASGI:
    """A LASGI application as an ASGI 3 one.

    A client that has left is an ``http.disconnect`` from ``receive`` and a ``ClientDisconnected`` from ``send``. A
    cancellation (the server stops) is raised where the function waits.

    What only looks like plain code, a ``def`` that returns the awaitable of an ASGI application inside of it, is served
    too: the awaitable is awaited, and ``receive`` and ``send`` may be.

    :param app: called with the scope, ``receive()`` and ``send(event)``; ``http`` and ``lifespan`` are what it may get.
    """

    def __init__(self, app: LASGIApp) -> None:
        self.app = app
        self._greenlets = Greenlets()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI 3."""
        result = await self._greenlets.run(self.app, scope, _plain(receive), _plain(send))
        if inspect.isawaitable(result):
            await result


def _plain(call: Callable[..., Awaitable[Any]]) -> Callable[..., Any]:
    """``receive`` or ``send`` for plain code; in a coroutine it is still to be awaited."""

    def plain(*event: Any) -> Any:
        if asyncio._get_running_loop() is None:
            return await_(_called(call, event))
        awaitable = call(*event)
        if not can_wait():
            return awaitable
        return None if awaitable is _DONE else await_(awaitable)

    return plain


async def _called(call: Callable[..., Awaitable[Any]], event: tuple[Any, ...]) -> Any:
    """For plain code in a thread: the call is made here, on the loop."""
    return await call(*event)
