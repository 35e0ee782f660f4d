"""SIGINT and SIGTERM of a server: the first one stops it, a second one ends it at once; and signals to call a function.

The event loop handles a signal as soon as no callback runs. A function that blocks the loop delays that without a
limit, so that two more things watch: Python's own handler, which runs between two instructions of such a function, and
a thread, which ends the process when the loop does not respond.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from types import FrameType
from typing import Protocol

from atlas.server.blocking import describe_thread
from atlas.server.forks import ForkGuard
from atlas.server.process_end import end_now

__all__ = ["StartupInterrupted", "handle_signal", "handle_signals", "leave_interrupt_to_parent"]

_logger = logging.getLogger("atlas.server")
_HANDLED = (signal.SIGINT, signal.SIGTERM)
_RESPONSE_TIMEOUT = 1.0  # seconds in which the loop has to respond after the grace, or after a second signal
_CHECK_INTERVAL = 0.1  # seconds between two checks of the loop


class StartupInterrupted(BaseException):
    """A signal has come while the startup of the application blocks the event loop; raised in its code."""


class _Stoppable(Protocol):
    graceful_timeout: float
    shutdown_delay: float

    def stop(self) -> None: ...
    def blocks_in_startup(self) -> bool: ...


@contextlib.contextmanager
def handle_signals(
    loop: asyncio.AbstractEventLoop,
    server: _Stoppable,
    numbers: Sequence[signal.Signals] = _HANDLED,
    *,
    is_forced: Callable[[], bool] | None = None,
) -> Iterator[None]:
    """Stop ``server`` on signals inside the block. Only the main thread of a program receives signals.

    :param loop: the event loop.
    :param server: the server.
    :param numbers: the signals, SIGINT and SIGTERM by default.
    :param is_forced: returns whether the server is to end at once; called while the loop is blocked, in a thread. None,
        the default: a second signal says so. A worker may get one from its supervisor and another one from a service
        manager, which sends it to all processes: it is the supervisor that ends it at once.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = {number: signal.getsignal(number) for number in numbers}
    handler = _Handler(loop, server, is_forced)
    for number in numbers:
        loop.add_signal_handler(number, handler.stop)
        # The loop still calls its own handler, for the number that comes in its pipe. System calls are interrupted, so
        # that a blocking one lets this handler run.
        signal.signal(number, handler)
    guard = ForkGuard(partial(_restore, previous))
    try:
        yield
    finally:
        guard.close()
        handler.close()
        for number in numbers:
            loop.remove_signal_handler(number)
        _restore(previous)


@contextlib.contextmanager
def handle_signal(
    loop: asyncio.AbstractEventLoop, number: signal.Signals, function: Callable[[], None] | None
) -> Iterator[None]:
    """Call ``function`` on a signal inside the block; with None the signal keeps its effect, which ends the process."""
    if function is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = {number: signal.getsignal(number)}
    loop.add_signal_handler(number, function)
    guard = ForkGuard(partial(_restore, previous))
    try:
        yield
    finally:
        guard.close()
        loop.remove_signal_handler(number)
        _restore(previous)


def leave_interrupt_to_parent() -> None:
    """Let SIGINT have no effect in this process: Ctrl+C in a terminal reaches its parent too, which stops it.

    The parent has started it with the signal blocked. A handler, unlike SIG_IGN, is not inherited by other programs.
    """
    signal.signal(signal.SIGINT, lambda number, frame: None)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _restore(previous: Mapping[signal.Signals, object]) -> None:
    for number, handler in previous.items():
        if handler is not None:  # a handler that was not installed from Python cannot be restored
            signal.signal(number, handler)  # type: ignore[arg-type]  # what getsignal() has returned


class _Handler:
    """Python's handler of the signals; called in the main thread, whether the loop runs or is blocked."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, server: _Stoppable, is_forced: Callable[[], bool] | None
    ) -> None:
        self._loop = loop
        self._server = server
        self._is_forced = is_forced
        self._is_stopped = False
        self._closed = threading.Event()
        self._deadline = 0.0
        self._thread: threading.Thread | None = None
        self._main = threading.get_ident()

    def __call__(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if self._thread is None:
            timeout = self._server.shutdown_delay + self._server.graceful_timeout
            self._deadline = now + timeout + _RESPONSE_TIMEOUT
            self._thread = threading.Thread(target=self._watch, name="atlas signals", daemon=True)
            self._thread.start()
            if self._server.blocks_in_startup():
                raise StartupInterrupted
        elif self._is_forced is None:
            self._deadline = now + _RESPONSE_TIMEOUT

    def stop(self) -> None:
        """Stop the server; called by the loop."""
        if self._is_forced is None or not self._is_stopped:
            self._is_stopped = True
            self._server.stop()

    def close(self) -> None:
        self._closed.set()

    def _watch(self) -> None:
        """End the process when the loop does not respond after the deadline."""
        while not self._closed.wait(_CHECK_INTERVAL):
            responded = threading.Event()
            try:
                self._loop.call_soon_threadsafe(responded.set)
            except RuntimeError:
                return  # the loop was closed
            asked = time.monotonic()
            while not responded.wait(_CHECK_INTERVAL) and not self._closed.is_set():
                if self._is_forced is not None and self._is_forced():
                    self._deadline = 0.0
                if time.monotonic() > max(self._deadline, asked + _RESPONSE_TIMEOUT):
                    self._end()

    def _end(self) -> None:
        where = describe_thread(self._main) or "a call of the application"
        _logger.error("%s blocks the event loop: the process ends without the shutdown of the application", where)
        end_now(1)
