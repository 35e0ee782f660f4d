"""LASGI: ASGI for sync functions, the interface of the first Atlas.

The scope and the events are those of ASGI 3, but nothing is awaited::

    def app(scope, receive, send):
        event = receive()
        send({"type": "http.response.start", "status": 200, "headers": []})
        send({"type": "http.response.body", "body": b"Hello"})

Each call runs in a greenlet, in a task and a context of its own. While ``receive``, ``send`` or
:func:`~atlas.gateway.greenlets.await_` waits, the event loop serves other requests.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from atlas._speedups.http.request_body import finished
from atlas.gateway.greenlets import Greenlets, await_, can_wait
from atlas.types import Event, Receive, Scope, Send

__all__ = ["LASGIApp", "SyncReceive", "SyncSend", "SyncToASGI"]

SyncReceive: TypeAlias = Callable[[], Event]
SyncSend: TypeAlias = Callable[[Event], None]
LASGIApp: TypeAlias = Callable[[Scope, SyncReceive, SyncSend], Any]

_DONE = finished()  # the awaitable that ``send`` of the Atlas server returns if it does not wait


class SyncToASGI:
    """Wraps a LASGI application as an ASGI 3 application.

    When the client has disconnected, ``receive`` returns ``http.disconnect`` and ``send`` raises
    ``ClientDisconnected``. A cancellation (when the server stops) is raised where the function waits.

    A ``def`` that returns the awaitable of an ASGI application is served too: the awaitable is awaited, and in it
    ``receive`` and ``send`` can be awaited.

    :param app: called with the scope, ``receive()`` and ``send(event)``. The type of the scope is ``http`` or
        ``lifespan``.
    """

    def __init__(self, app: LASGIApp) -> None:
        self.app = app
        self._greenlets = Greenlets()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the application in a greenlet."""
        result = await self._greenlets.run(self.app, scope, _sync(receive), _sync(send))
        if inspect.isawaitable(result):
            await result


def _sync(function: Callable[..., Awaitable[Any]]) -> Callable[..., Any]:
    """Return ``receive`` or ``send`` as a sync function; in a coroutine it returns an awaitable."""

    def call(*event: Any) -> Any:
        if asyncio._get_running_loop() is None:
            return await_(_call_on_loop(function, event))
        awaitable = function(*event)
        if not can_wait():
            return awaitable
        return None if awaitable is _DONE else await_(awaitable)

    return call


async def _call_on_loop(function: Callable[..., Awaitable[Any]], event: tuple[Any, ...]) -> Any:
    """Call ``function`` on the event loop, for sync code that runs in a thread."""
    return await function(*event)
