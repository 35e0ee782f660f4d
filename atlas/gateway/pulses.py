"""A sign of life on a stream that has nothing to say: proxies and browsers give up on a silent connection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from atlas.types import Event, Send

__all__ = ["Pulse"]


class Pulse:
    """Wraps ``send``, so that never more than ``seconds`` pass without a message.

    :param seconds: how long it may be quiet.
    :param beat: makes the message that is sent then.

    :meth:`send` takes the place of ``send``, and :meth:`run` goes on in a task beside, until it is cancelled.
    """

    __slots__ = ("_beat", "_last", "_lock", "_seconds", "_send")

    def __init__(self, send: Send, seconds: float, beat: Callable[[], Event]) -> None:
        self._send = send
        self._seconds = seconds
        self._beat = beat
        self._last = asyncio.get_running_loop().time()
        self._lock = asyncio.Lock()  # two messages at once are not in ASGI

    async def send(self, event: Event) -> None:
        """Send a message; the quiet time begins anew."""
        async with self._lock:
            await self._send(event)
        self._last = asyncio.get_running_loop().time()

    async def run(self) -> None:
        """Send a beat whenever it was quiet for too long. Raises what ``send`` raises."""
        clock = asyncio.get_running_loop().time
        while True:
            left = self._last + self._seconds - clock()
            if left > 0:
                await asyncio.sleep(left)
            else:
                await self.send(self._beat())
