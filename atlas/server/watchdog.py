"""A watch over the event loop, for development: whoever holds it is named, with the stack, while it happens.

A function that takes long without waiting keeps everybody else from being served, and nothing shows it but slowness
elsewhere. A thread asks the loop for a sign of life again and again; while none comes, it looks at what the loop's
thread is doing.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType

from atlas.server.culprits import Culprit, chain, find

__all__ = ["Watchdog"]

_logger = logging.getLogger("atlas.server")

_PAUSE = 0.02  # seconds between two questions


class Watchdog:
    """Names, once for each place, what holds an event loop.

    :param loop: the loop, which runs in the current thread.
    :param allowed: seconds that the loop may be held.
    :param patience: seconds after which it is told of what still goes on; else it is told when it is over.
    :param look: what each thread is doing now, as :func:`sys._current_frames`.
    :param clock: seconds, as :func:`time.monotonic`.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        allowed: float = 0.05,
        patience: float = 1.0,
        look: Callable[[], dict[int, FrameType]] = sys._current_frames,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._loop = loop
        self._allowed = allowed
        self._patience = patience
        self._look = look
        self._clock = clock
        self._loops_thread = threading.get_ident()
        self._below = frozenset(chain(sys._getframe(1)))  # what runs the loop is no news
        self._known: set[tuple[str, int]] = set()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="atlas watchdog", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def close(self) -> None:
        """Watch no more."""
        self._closed.set()
        self._below = frozenset()

    def _watch(self) -> None:
        while not self._closed.wait(_PAUSE):
            sign = threading.Event()
            try:
                self._loop.call_soon_threadsafe(sign.set)
            except RuntimeError:
                return  # the loop was closed
            self.wait_for(sign)

    def wait_for(self, sign: threading.Event) -> None:
        """Wait for a sign of life that the loop was just asked for, and tell what keeps it from giving it."""
        asked = self._clock()
        if sign.wait(self._allowed):
            return
        culprit = find(self._look().get(self._loops_thread), self._below)
        over = sign.wait(self._patience)
        if culprit is not None and culprit.place not in self._known and not self._closed.is_set():
            self._known.add(culprit.place)
            _logger.warning("%s", _sentence(culprit, self._clock() - asked, over=over))
        while not over and not self._closed.is_set():
            over = sign.wait(self._patience)


def _sentence(culprit: Culprit, seconds: float, *, over: bool) -> str:
    time = f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
    file, line = culprit.place
    held = f"held the event loop for {time}" if over else f"has held the event loop for {time}, and still does,"
    advice = (
        "await in_thread(function, ...) moves what takes long to a thread."
        if culprit.is_async
        else 'run="thread" on its route moves it to a thread, await_(in_thread(function, ...)) only what takes long.'
    )
    return (
        f"{culprit.name} ({culprit.home}) {held} at {file}:{line}; nobody else was served meanwhile:\n"
        f"{culprit.stack}\n{advice}"
    )
