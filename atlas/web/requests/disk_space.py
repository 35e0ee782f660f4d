"""The files of one form on disk: one after the other in a single file, so that a form takes one descriptor."""

from __future__ import annotations

import io
import os
import tempfile
from typing import Any, BinaryIO, cast

__all__ = ["DiskSpace", "Section"]


class DiskSpace:
    """A file without a name, which the system removes when it is closed; it is created by the first write.

    :ivar size: size in bytes.
    """

    __slots__ = ("_file", "size")

    def __init__(self) -> None:
        self._file: BinaryIO | None = None
        self.size = 0

    def append(self, data: bytes | memoryview) -> None:
        """Write bytes to the end."""
        if self._file is None:
            self._file = cast(BinaryIO, tempfile.TemporaryFile())  # noqa: SIM115  # closed by __del__
        left = memoryview(data)
        while left:
            written = os.pwrite(self._file.fileno(), left, self.size)
            self.size += written
            left = left[written:]

    def read(self, size: int, start: int) -> bytes:
        """Read bytes from a position."""
        return os.pread(self._file.fileno(), size, start) if self._file is not None else b""

    def __del__(self) -> None:
        if self._file is not None:
            self._file.close()  # here, because it is no mistake: without this Python warns


class Section(io.RawIOBase):
    """A part of a :class:`DiskSpace` as a file to read.

    :param space: the whole. It is closed with the last of its sections.
    :param start: where the section begins.
    :param size: size in bytes.
    """

    def __init__(self, space: DiskSpace, start: int, size: int) -> None:
        self._space: DiskSpace | None = space
        self._start = start
        self._size = size
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        if at < 0:
            raise ValueError(f"expected a position from 0, got {at}")
        self._at = at
        return at

    def readinto(self, buffer: Any) -> int:
        if self._space is None:
            raise ValueError("I/O operation on closed file")
        view = memoryview(buffer).cast("B")
        data = self._space.read(max(0, min(len(view), self._size - self._at)), self._start + self._at)
        view[: len(data)] = data
        self._at += len(data)
        return len(data)

    def close(self) -> None:
        self._space = None
        super().close()
