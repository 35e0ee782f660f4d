"""Notifications about new posts of a thread."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


class Subscriptions:
    """An event for each open stream of this process. A stream whose event is set reads the new posts from the database.

    A forum with several workers would notify them through a message broker, or a table that each worker polls.
    """

    def __init__(self) -> None:
        self._events: dict[int, set[asyncio.Event]] = {}

    @contextmanager
    def subscribe(self, thread: int) -> Iterator[asyncio.Event]:
        """Yield an event that is set for each new post of a thread."""
        event = asyncio.Event()
        self._events.setdefault(thread, set()).add(event)
        try:
            yield event
        finally:
            events = self._events[thread]
            events.discard(event)
            if not events:
                del self._events[thread]

    def notify(self, thread: int) -> None:
        """Set the events of a thread."""
        for event in self._events.get(thread, ()):
            event.set()

    def __len__(self) -> int:
        """Return the number of open streams."""
        return sum(len(events) for events in self._events.values())
