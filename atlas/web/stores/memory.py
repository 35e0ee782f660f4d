"""A store in the memory of the process: for tests, development, and a site with one process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

__all__ = ["MemoryStore"]


class MemoryStore:
    """A store in memory. It ends with the process, and other processes do not share it.

    :param size: maximum number of entries, 100,000 by default; the least recently used one is dropped.
    :param clock: returns seconds; must be monotonic.
    :raises ValueError: for a size below 1.
    """

    def __init__(self, size: int = 100_000, *, clock: Callable[[], float] = time.monotonic) -> None:
        if size < 1:
            raise ValueError(f"MemoryStore: size: expected 1 or more, got {size!r}")
        self._size = size
        self._clock = clock
        self._kept: dict[str, tuple[bytes, float]] = {}  # data and expiry, least recently used first
        self._lock = threading.Lock()  # one instance may serve loops of several threads

    def get(self, name: str) -> bytes | None:
        """Return the data of an entry.

        :param name: the name.
        :returns: the data; None for an unknown or expired entry.
        """
        with self._lock:
            return self._live(name)

    def _live(self, name: str) -> bytes | None:
        data, end = self._kept.pop(name, (b"", 0.0))
        if end <= self._clock():
            return None
        self._kept[name] = (data, end)
        return data

    def set(self, name: str, data: bytes, seconds: float) -> None:
        """Save an entry as the most recently used one.

        :param name: the name.
        :param data: the data.
        :param seconds: time until the entry expires.
        """
        with self._lock:
            self._save(name, data, seconds)

    def replace(self, name: str, data: bytes, seconds: float) -> bool:
        """Save an entry if there is one of that name.

        :param name: the name.
        :param data: the data.
        :param seconds: time until the entry expires.
        :returns: False for an unknown or expired entry, which is not saved.
        """
        with self._lock:
            if self._live(name) is None:
                return False
            self._save(name, data, seconds)
            return True

    def add(self, name: str, data: bytes, seconds: float) -> bool:
        """Save an entry if there is none of that name.

        :param name: the name.
        :param data: the data.
        :param seconds: time until the entry expires.
        :returns: False if there is an entry, which stays as it is.
        """
        with self._lock:
            if self._live(name) is not None:
                return False
            self._save(name, data, seconds)
            return True

    def release(self, name: str, data: bytes) -> bool:
        """Delete an entry if it has this data.

        :param name: the name.
        :param data: the data.
        :returns: whether it was deleted.
        """
        with self._lock:
            if self._live(name) != data:
                return False
            del self._kept[name]
            return True

    def _save(self, name: str, data: bytes, seconds: float) -> None:
        self._kept.pop(name, None)
        self._kept[name] = (data, self._clock() + seconds)
        if len(self._kept) > self._size:
            del self._kept[next(iter(self._kept))]

    def delete(self, name: str) -> None:
        """Delete an entry; an unknown name is ignored.

        :param name: the name.
        """
        with self._lock:
            self._kept.pop(name, None)

    def touch(self, name: str, seconds: float) -> None:
        """Extend the time of an entry; an unknown or expired entry is ignored.

        :param name: the name.
        :param seconds: time from now until the entry expires.
        """
        with self._lock:
            data = self._live(name)
            if data is not None:
                self._kept[name] = (data, self._clock() + seconds)

    def __len__(self) -> int:
        return len(self._kept)
