"""Detects what blocks the event loop, for ``--dev``: logs the function and its stack while it runs.

A function that runs for long without an ``await`` delays every other request, and the only symptom is latency
elsewhere. A thread schedules a callback on the loop at short intervals. If the callback does not run in time, the
thread looks at the stack of the loop's thread.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType

from atlas.server.blocking import BlockingFunction, find_blocking_function, is_compiling, walk_stack

__all__ = ["LoopMonitor"]

_logger = logging.getLogger("atlas.server")

_CHECK_INTERVAL = 0.02  # seconds between two checks


class LoopMonitor:
    """Logs what blocks an event loop, once for each line of code.

    :param loop: the event loop, which runs in the current thread.
    :param threshold: seconds that a callback may take before it counts as blocking.
    :param report_after: seconds after the threshold at which a call that still blocks is logged; a shorter one is
        logged when it has ended.
    :param current_frames: the innermost frame of each thread, as :func:`sys._current_frames`.
    :param clock: seconds, as :func:`time.monotonic`.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        threshold: float = 0.05,
        report_after: float = 1.0,
        current_frames: Callable[[], dict[int, FrameType]] = sys._current_frames,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._loop = loop
        self._threshold = threshold
        self._report_after = report_after
        self._current_frames = current_frames
        self._clock = clock
        self._loop_thread = threading.get_ident()
        self._below = frozenset(walk_stack(sys._getframe(1)))  # the frames that run the loop
        self._reported: set[tuple[str, int]] = set()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="atlas loop monitor", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self) -> None:
        """Stop the thread at its next check."""
        self._closed.set()
        self._below = frozenset()

    def _run(self) -> None:
        while not self._closed.wait(_CHECK_INTERVAL):
            responded = threading.Event()
            try:
                self._loop.call_soon_threadsafe(responded.set)
            except RuntimeError:
                return  # the loop was closed
            self.check(responded)

    def check(self, responded: threading.Event) -> None:
        """Wait until the loop has run a callback; log what blocks it if that takes longer than the threshold.

        :param responded: set by the callback, which has just been scheduled.
        """
        scheduled = self._clock()
        while True:
            if responded.wait(self._threshold):
                return
            frame = self._current_frames().get(self._loop_thread)
            if not is_compiling(frame):
                break
            scheduled = self._clock()  # what follows the compilation may block, too
        function = find_blocking_function(frame, self._below)
        del frame
        ended = responded.wait(self._report_after)
        if function is not None and function.position not in self._reported and not self._closed.is_set():
            self._reported.add(function.position)
            _logger.warning("%s", _message(function, self._clock() - scheduled, ended=ended))
        while not ended and not self._closed.is_set():
            ended = responded.wait(self._report_after)


def _message(function: BlockingFunction, seconds: float, *, ended: bool) -> str:
    time = f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
    file, line = function.position
    blocked = (
        f"blocked the event loop for {time}" if ended else f"has blocked the event loop for {time} and still does,"
    )
    advice = (
        "await in_thread(function, ...) runs a blocking call in a thread."
        if function.is_async
        else 'run="thread" on its route runs it in a thread, await_(in_thread(function, ...)) only the blocking call.'
    )
    return (
        f"{function.name} ({function.definition}) {blocked} at {file}:{line}; no other request was served meanwhile:\n"
        f"{function.stack}\n{advice}"
    )
