"""What the worker processes of a server know of each other: a table in shared memory, with an entry for each worker.

A worker writes its own entry only, and reads those of the others as hints: an entry that is read while it is written,
or that is a moment old, does no harm.
"""

from __future__ import annotations

import asyncio
import mmap
import os
import struct
import tempfile
import time
from collections.abc import Callable, Iterator

__all__ = ["Heartbeat", "WorkerEntry", "WorkerTable"]

_USED = struct.Struct("=q")  # number of entries from the first one to the last one that was ever used
_ENTRY = struct.Struct("=qqd")  # open connections; accepted connections; time of the last heartbeat, 0.0 if unused
_BEAT_INTERVAL = 0.25  # seconds
_AHEAD = 4  # connections that a worker may have accepted more than another one with as many open


class WorkerTable:
    """A table of entries in shared memory.

    :param fd: the file, see :meth:`create`. It is the caller's to close.
    :param size: the number of entries.
    """

    def __init__(self, fd: int, size: int) -> None:
        self._memory = mmap.mmap(fd, _USED.size + size * _ENTRY.size)
        self.size = size

    @classmethod
    def create(cls, size: int) -> tuple[WorkerTable, int]:
        """Return a table and the descriptor of its file, which has no name and can be inherited by workers."""
        if hasattr(os, "memfd_create"):
            fd = os.memfd_create("atlas-workers")
        else:
            with tempfile.TemporaryFile() as file:
                fd = os.dup(file.fileno())
        os.ftruncate(fd, _USED.size + size * _ENTRY.size)
        return cls(fd, size), fd

    def use(self, index: int) -> None:
        """Let the workers look at this entry, and at those before it. Only the supervisor calls this."""
        _USED.pack_into(self._memory, 0, max(index + 1, self.used))

    @property
    def used(self) -> int:
        """The number of entries that the workers look at."""
        return int(_USED.unpack_from(self._memory, 0)[0])

    def read(self, index: int) -> tuple[int, int, float]:
        """Return an entry: open connections, accepted connections, and the time of the last heartbeat (0.0: unused).

        Times are seconds of :func:`time.monotonic`, which is the same for all processes.
        """
        return _ENTRY.unpack_from(self._memory, _position(index))

    def write(self, index: int, open_connections: int, accepted: int, heartbeat: float) -> None:
        _ENTRY.pack_into(self._memory, _position(index), open_connections, accepted, heartbeat)

    def clear(self, index: int) -> None:
        self.write(index, 0, 0, 0.0)

    def close(self) -> None:
        self._memory.close()


def _position(index: int) -> int:
    return _USED.size + index * _ENTRY.size


class WorkerEntry:
    """The entry of one worker, as the worker uses it.

    :param table: the table.
    :param index: the position of the entry.
    """

    def __init__(self, table: WorkerTable, index: int) -> None:
        self._table = table
        self._index = index
        self._accepted = 0

    def beat(self, open_connections: int) -> None:
        """Say that the event loop runs, and how many connections are open."""
        self._table.write(self._index, open_connections, self._accepted, time.monotonic())

    def accepted(self, open_connections: int) -> None:
        """Count a connection that this worker has accepted."""
        self._accepted += 1
        self.beat(open_connections)

    def has_more_than_another(self, open_connections: int) -> bool:
        """Return whether another worker should accept the next connection, because it has fewer."""
        return any(
            open_connections > others or (open_connections == others and self._accepted > accepted + _AHEAD)
            for others, accepted in self._others()
        )

    def clear(self) -> None:
        """Say that this worker accepts no more connections."""
        self._table.clear(self._index)

    def _others(self) -> Iterator[tuple[int, int]]:
        for index in range(self._table.used):
            if index != self._index:
                open_connections, accepted, heartbeat = self._table.read(index)
                if heartbeat:
                    yield open_connections, accepted


class Heartbeat:
    """Writes a worker's entry now and then, as long as its event loop runs.

    :param entry: the entry.
    :param open_connections: returns the number of open connections.
    """

    def __init__(self, entry: WorkerEntry, open_connections: Callable[[], int]) -> None:
        self._entry = entry
        self._open_connections = open_connections
        self._loop = asyncio.get_running_loop()
        self._beat()

    def close(self) -> None:
        """Stop, and say that this worker accepts no more connections."""
        self._handle.cancel()
        self._entry.clear()

    def _beat(self) -> None:
        self._entry.beat(self._open_connections())
        self._handle = self._loop.call_later(_BEAT_INTERVAL, self._beat)
