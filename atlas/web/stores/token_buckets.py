"""Token buckets in the memory of the process, and the interface of those that several processes share."""

from __future__ import annotations

import threading
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

__all__ = ["BucketStore", "TokenBuckets"]


class BucketStore(Protocol):
    """Keeps token buckets: one is full at first, and is filled again at a constant rate."""

    def take(self, name: str, capacity: float, per_second: float) -> float | Awaitable[float]:
        """Take a token from a bucket, in one step.

        :param name: name of the bucket; any characters.
        :param capacity: number of tokens of a full bucket, 1 or more.
        :param per_second: number of tokens that it gains in a second.
        :returns: the number of tokens that are left, fractions included; if there was not a whole token, none is taken,
            and the result is negative: what is missing of a whole one.
        """


class TokenBuckets:
    """Token buckets in memory.

    :param size: maximum number of buckets, 10,000 by default; the least recently used bucket is dropped.
    :param clock: returns seconds; must be monotonic.
    """

    __slots__ = ("_buckets", "_clock", "_lock", "_size")

    def __init__(self, size: int = 10_000, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._size = size
        self._clock = clock
        # Tokens, and when they were counted; the least recently used bucket first.
        self._buckets: dict[str, tuple[float, float]] = {}
        self._lock = threading.Lock()  # one instance may serve loops of several threads

    def take(self, name: str, capacity: float, per_second: float) -> float:
        """Take a token from a bucket, see :meth:`BucketStore.take`."""
        with self._lock:
            now = self._clock()
            tokens, then = self._buckets.pop(name, (capacity, now))
            tokens = min(capacity, tokens + (now - then) * per_second)
            self._buckets[name] = (tokens - 1 if tokens >= 1 else tokens, now)
            if len(self._buckets) > self._size:
                del self._buckets[next(iter(self._buckets))]
        return tokens - 1
