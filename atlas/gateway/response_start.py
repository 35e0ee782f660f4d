"""The start of a response that is produced while it is sent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from atlas.types import Event, Send

__all__ = ["ResponseStart"]


class ResponseStart:
    """Sends the events of a response, and ``http.response.start`` before the first of them.

    Two tasks may use it: one that waits for the content, and one that starts the response after a time without any.

    :param send: ASGI's ``send``.
    :param make_event: returns the ``http.response.start`` event.
    :param flush: whether an empty chunk is sent with it, since a server may hold the head until the first chunk.
    """

    __slots__ = ("_flush", "_lock", "_make_event", "_send", "_sent")

    def __init__(self, send: Send, make_event: Callable[[], Event], *, flush: bool) -> None:
        self._send = send
        self._make_event = make_event
        self._flush = flush
        self._sent = False
        self._lock = asyncio.Lock()

    async def open(self) -> None:
        """Start the response, unless it has started. Returns when ``send`` has taken the event."""
        if self._sent:
            return
        async with self._lock:
            if not self._sent:
                await self._send(self._make_event())
                if self._flush:
                    await self._send({"type": "http.response.body", "body": b"", "more_body": True})
                self._sent = True

    async def open_after(self, seconds: float) -> None:
        """Start the response if this does not happen within a time.

        :param seconds: the time.
        """
        await asyncio.sleep(seconds)
        await self.open()

    async def send(self, event: Event) -> None:
        """Send an event of the body.

        :param event: the event.
        """
        if not self._sent:
            await self.open()
        await self._send(event)
