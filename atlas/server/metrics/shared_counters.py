"""Counters in memory that other processes can read."""

from __future__ import annotations

import mmap
import os
import tempfile

from atlas._speedups.http.counters import Counters

__all__ = ["SIZE", "clear_counters", "create_file", "open_counters", "private_counters"]


SIZE = -(-Counters.size // mmap.ALLOCATIONGRANULARITY) * mmap.ALLOCATIONGRANULARITY
"""Bytes that the file has for each of its counters."""


def create_file(count: int) -> int:
    """Return the descriptor of a file for so many counters. It has no name, and a child process can inherit it."""
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("atlas-counters")
    else:
        with tempfile.TemporaryFile() as file:
            fd = os.dup(file.fileno())
    os.ftruncate(fd, count * SIZE)  # memory is taken for what is written only
    return fd


def open_counters(fd: int, index: int) -> Counters:
    """Return counters in a file.

    :param fd: its descriptor, which stays the caller's to close.
    :param index: which of the counters.
    """
    return Counters(mmap.mmap(fd, SIZE, offset=index * SIZE))


def clear_counters(fd: int, index: int) -> None:
    """Set counters in a file, which are not used any more, to zero, and release their memory."""
    with mmap.mmap(fd, SIZE, offset=index * SIZE) as memory:
        if hasattr(mmap, "MADV_REMOVE"):
            memory.madvise(mmap.MADV_REMOVE)
        else:
            memory[:] = bytes(SIZE)


def private_counters() -> Counters:
    """Return counters of this process only. A page of the memory is taken when it is first used."""
    return Counters(mmap.mmap(-1, Counters.size))
