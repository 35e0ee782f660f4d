"""Sessions in the memory of this process: for tests, for development, and for a site of one process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

__all__ = ["MemoryStore"]


class MemoryStore:
    """A store that is gone when the process ends, and that other processes do not see.

    :param size: sessions that are kept. Over it the one that was used least lately is forgotten.
    :param clock: seconds that only grow.
    :raises ValueError: for a size under 1.
    """

    def __init__(self, size: int = 100_000, *, clock: Callable[[], float] = time.monotonic) -> None:
        if size < 1:
            raise ValueError(f"MemoryStore: size: expected 1 or more, got {size!r}")
        self._size = size
        self._clock = clock
        self._kept: dict[str, tuple[bytes, float]] = {}  # data and when it ends, least lately used first
        self._lock = threading.Lock()  # one instance may serve loops of several threads

    def get(self, name: str) -> bytes | None:
        """What was kept under this name, None if that is over."""
        with self._lock:
            return self._live(name)

    def _live(self, name: str) -> bytes | None:
        data, end = self._kept.pop(name, (b"", 0.0))
        if end <= self._clock():
            return None
        self._kept[name] = (data, end)
        return data

    def set(self, name: str, data: bytes, seconds: float) -> None:
        """Keep it, as the one that was used last."""
        with self._lock:
            self._kept.pop(name, None)
            self._kept[name] = (data, self._clock() + seconds)
            if len(self._kept) > self._size:
                del self._kept[next(iter(self._kept))]

    def delete(self, name: str) -> None:
        """Forget it."""
        with self._lock:
            self._kept.pop(name, None)

    def touch(self, name: str, seconds: float) -> None:
        """Let it end later."""
        with self._lock:
            data = self._live(name)
            if data is not None:
                self._kept[name] = (data, self._clock() + seconds)

    def __len__(self) -> int:
        return len(self._kept)
