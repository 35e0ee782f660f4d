"""Messages on a stream that has nothing to send: proxies and browsers close a connection that is silent for long."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from atlas.types import Event, Send

__all__ = ["KeepAlive"]


class KeepAlive:
    """Wraps ``send``, so that never more than ``seconds`` pass without a message.

    :meth:`send` takes the place of ``send``; :meth:`run` runs in a task beside, until it is cancelled.

    :param send: ASGI's ``send``.
    :param seconds: the longest time without a message.
    :param make: makes the message that is sent after that time.
    """

    __slots__ = ("_last", "_lock", "_make", "_seconds", "_send")

    def __init__(self, send: Send, seconds: float, make: Callable[[], Event]) -> None:
        self._send = send
        self._seconds = seconds
        self._make = make
        self._last = asyncio.get_running_loop().time()
        self._lock = asyncio.Lock()  # ASGI does not allow two calls of send at the same time

    async def send(self, event: Event) -> None:
        """Send a message, and begin the silent time anew."""
        async with self._lock:
            await self._send(event)
        self._last = asyncio.get_running_loop().time()

    async def run(self) -> None:
        """Send a message whenever the silent time has passed. Raises what ``send`` raises."""
        clock = asyncio.get_running_loop().time
        while True:
            left = self._last + self._seconds - clock()
            if left > 0:
                await asyncio.sleep(left)
            else:
                await self.send(self._make())
