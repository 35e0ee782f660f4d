"""Threads that run blocking functions, and the limit of how many run at a time for an event loop.

The threads are daemon threads: a function that never returns does not keep the process from ending. (Python waits for
those of a :class:`concurrent.futures.ThreadPoolExecutor` at its exit.)
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any
from weakref import WeakKeyDictionary

from atlas.gateway.forked_children import end_child

__all__ = ["CapacityLimiter", "Job", "Limits", "Token", "WorkerThreads"]

_log = logging.getLogger("atlas.server")
_IDLE_SECONDS = 30.0  # after which a thread without a job ends
_WARNING_INTERVAL = 60.0  # seconds between two log lines about the same limit


class Job:
    """A function call in a thread, which has not begun, or has."""

    __slots__ = ("_arguments", "_begun", "_function")

    def __init__(self, function: Callable[..., object], arguments: tuple[Any, ...]) -> None:
        self._function = function
        self._arguments = arguments
        self._begun = threading.Lock()

    def run(self) -> None:
        """Call the function, unless it was cancelled."""
        if self._begun.acquire(blocking=False):
            function, arguments = self._function, self._arguments
            del self._function, self._arguments
            function(*arguments)

    def cancel(self) -> bool:
        """Return whether the function has not begun; then it never will."""
        return self._begun.acquire(blocking=False)


class WorkerThreads:
    """Daemon threads, one for each job at a time. An idle thread takes the next job, or ends after a while.

    :param name: of the threads.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._forget()

    def _forget(self) -> None:
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._jobs: SimpleQueue[Job] = SimpleQueue()
        self._idle = 0  # threads that wait for a job, without those that a job in the queue is for

    def submit(self, function: Callable[..., object], *arguments: Any) -> Job:
        """Call ``function`` in a thread. It has to catch its exceptions.

        :returns: the job, which can be cancelled until a thread begins it.
        :raises RuntimeError: if no thread can be started.
        """
        if self._process != os.getpid():
            self._forget()  # a forked child has none of the threads
        job = Job(function, arguments)
        with self._lock:
            has_thread = self._idle > 0
            if has_thread:
                self._idle -= 1
        if has_thread:
            self._jobs.put(job)
        else:
            threading.Thread(target=self._work, args=(job,), name=self._name, daemon=True).start()
        return job

    def _work(self, job: Job | None) -> None:
        process = os.getpid()
        while job is not None:
            job.run()
            if os.getpid() != process:
                end_child()
            del job  # an idle thread keeps nothing alive
            with self._lock:
                self._idle += 1
            job = self._next()

    def _next(self) -> Job | None:
        try:
            return self._jobs.get(timeout=_IDLE_SECONDS)
        except Empty:
            with self._lock:
                if self._idle > 0:
                    self._idle -= 1
                    return None
            return self._jobs.get()  # a job was meant for this thread


class CapacityLimiter:
    """The tokens of one event loop. All methods are called in the thread of that loop, so that no lock is needed.

    :param total_tokens: how many tokens can be held at a time.
    :param full_message: logged when a caller has to wait for a token; it contains ``%d`` for the number of tokens.
    """

    def __init__(self, total_tokens: int, full_message: str) -> None:
        self.total_tokens = total_tokens
        self.available_tokens = total_tokens
        self.waiters: deque[asyncio.Future[None]] = deque()
        self._full_message = full_message
        self._next_warning = 0.0

    def resize(self, total_tokens: int) -> None:
        """Change how many tokens can be held at a time."""
        self.available_tokens += total_tokens - self.total_tokens
        self.total_tokens = total_tokens

    def release(self) -> None:
        """Give a token to the next waiter, or make it available."""
        while self.waiters and self.available_tokens >= 0:
            waiter = self.waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self.available_tokens += 1

    def warn(self) -> None:
        """Log that a caller waits for a token, at most once a minute."""
        now = time.monotonic()
        if now >= self._next_warning:
            self._next_warning = now + _WARNING_INTERVAL
            _log.warning(self._full_message, self.total_tokens)


class Limits:
    """A limiter for each event loop.

    :param total_tokens: of a new limiter.
    :param full_message: see :class:`CapacityLimiter`.
    """

    def __init__(self, total_tokens: int, full_message: str) -> None:
        self._total_tokens = total_tokens
        self._full_message = full_message
        self._limiters: WeakKeyDictionary[asyncio.AbstractEventLoop, CapacityLimiter] = WeakKeyDictionary()

    def of(self, loop: asyncio.AbstractEventLoop) -> CapacityLimiter:
        """Return the limiter of a loop, which runs in this thread."""
        limiter = self._limiters.get(loop)
        if limiter is None:
            limiter = self._limiters[loop] = CapacityLimiter(self._total_tokens, self._full_message)
        return limiter


class Token:
    """One token of a limiter for one call, held or not."""

    __slots__ = ("_held", "_limiter")

    def __init__(self, limiter: CapacityLimiter) -> None:
        self._limiter = limiter
        self._held = False

    async def acquire(self) -> None:
        """Wait for the token, in order."""
        limiter = self._limiter
        if limiter.available_tokens > 0:
            limiter.available_tokens -= 1
        else:
            limiter.warn()
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            limiter.waiters.append(waiter)
            try:
                await waiter
            except BaseException:
                if waiter.done() and not waiter.cancelled():
                    limiter.release()
                else:
                    limiter.waiters.remove(waiter)
                raise
        self._held = True

    def release(self) -> None:
        """Release the token, if it is held."""
        if self._held:
            self._held = False
            self._limiter.release()
