"""Keep-alive events on a stream that is idle: proxies and browsers close a connection that sends no data for long."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from atlas.types import Event, Send

__all__ = ["KeepAlive"]


class KeepAlive:
    """Sends an event whenever no other event was sent for an interval.

    The stream calls :meth:`send` instead of ASGI's ``send``; :meth:`run` runs in a task of its own until it is
    cancelled.

    :param send: ASGI's ``send``.
    :param interval: in seconds.
    :param make_event: returns the event to send.
    """

    __slots__ = ("_interval", "_last", "_lock", "_make_event", "_send")

    def __init__(self, send: Send, interval: float, make_event: Callable[[], Event]) -> None:
        self._send = send
        self._interval = interval
        self._make_event = make_event
        self._last = asyncio.get_running_loop().time()
        self._lock = asyncio.Lock()  # ASGI does not allow two calls of send at the same time

    async def send(self, event: Event) -> None:
        """Send an event, and start the interval again. Raises what ASGI's ``send`` raises.

        :param event: an ASGI event.
        """
        async with self._lock:
            await self._send(event)
        self._last = asyncio.get_running_loop().time()

    async def run(self) -> None:
        """Send keep-alive events until cancelled. Raises what ASGI's ``send`` raises."""
        clock = asyncio.get_running_loop().time
        while True:
            left = self._last + self._interval - clock()
            if left > 0:
                await asyncio.sleep(left)
            else:
                await self.send(self._make_event())
