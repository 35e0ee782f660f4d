"""A store of files in a folder, which the processes of one machine share.

The name of a file is a digest of the entry's name, so no input from a client is part of a path. The modification time
of a file is the time at which the entry expires. A file is written under a temporary name and renamed, so it is never
read incomplete. A lock on the folder keeps other processes from deleting an entry while it is replaced.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from atlas.gateway.threads import in_file_thread

__all__ = ["FileStore"]

_SUFFIX = ".session"
_TEMPORARY = ".unfinished"
_CHECKSUM_SIZE = 16  # bytes of the checksum before the data; a file that a crash left incomplete does not match
_HOUR = 3600.0
_LATEST = (
    1e11  # seconds since 1970; a system refuses a time that its files cannot have, or takes the latest that they can
)


class FileStore:
    """A store in a folder.

    :param directory: the folder; created, readable for this user only, if it does not exist.
    :param sweep_every: number of writes after which expired entries are removed, 1000 by default.
    :param clock: returns seconds since the epoch.
    :raises ValueError: for a path that is not a folder, or ``sweep_every`` below 1.
    :raises OSError: if the folder cannot be created.
    """

    def __init__(
        self, directory: str | os.PathLike[str], *, sweep_every: int = 1000, clock: Callable[[], float] = time.time
    ) -> None:
        self._folder = Path(directory).absolute()
        if sweep_every < 1:
            raise ValueError(f"FileStore: sweep_every: expected 1 or more, got {sweep_every!r}")
        if self._folder.exists() and not self._folder.is_dir():
            raise ValueError(f"FileStore: {str(self._folder)!r} is not a folder")
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._clock = clock
        self._sweep_every = sweep_every
        self._written = 0

    async def get(self, name: str) -> bytes | None:
        """Return the data of an entry.

        :param name: the name.
        :returns: the data; None for an unknown or expired entry.
        """
        return await in_file_thread(self._read, self._path(name))

    async def set(self, name: str, data: bytes, seconds: float) -> None:
        """Save an entry. Of two concurrent writes the later one replaces the other as a whole.

        :param name: the name.
        :param data: the data.
        :param seconds: time until the entry expires.
        """
        await self._save(name, data, seconds, None)

    async def replace(self, name: str, data: bytes, seconds: float) -> bool:
        """Save an entry if there is one of that name.

        :param name: the name.
        :param data: the data.
        :param seconds: time until the entry expires.
        :returns: False for an unknown or expired entry, which is not saved.
        """
        return await self._save(name, data, seconds, True)

    async def add(self, name: str, data: bytes, seconds: float) -> bool:
        """Save an entry if there is none of that name.

        :param name: the name.
        :param data: the data.
        :param seconds: time until the entry expires.
        :returns: False if there is an entry, which stays as it is.
        """
        return await self._save(name, data, seconds, False)

    async def release(self, name: str, data: bytes) -> bool:
        """Delete an entry if it has this data.

        :param name: the name.
        :param data: the data.
        :returns: whether it was deleted.
        """
        return await in_file_thread(self._remove, self._path(name), data)

    async def _save(self, name: str, data: bytes, seconds: float, only_if: bool | None) -> bool:
        saved = await in_file_thread(self._write, self._path(name), data, self._end(seconds), only_if)
        self._written += 1
        if self._written % self._sweep_every == 0:
            await in_file_thread(self.sweep)
        return saved

    async def delete(self, name: str) -> None:
        """Delete an entry; an unknown name is ignored.

        :param name: the name.
        """
        await in_file_thread(self._remove, self._path(name))

    async def touch(self, name: str, seconds: float) -> None:
        """Extend the time of an entry; an unknown or expired entry is ignored.

        :param name: the name.
        :param seconds: time from now until the entry expires.
        """
        await in_file_thread(self._extend, self._path(name), self._end(seconds))

    def _end(self, seconds: float) -> float:
        return min(self._clock() + seconds, _LATEST)

    def _path(self, name: str) -> Path:
        return self._folder / (hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest() + _SUFFIX)

    def _read(self, path: Path) -> bytes | None:
        try:
            # O_NOFOLLOW: a symbolic link could lead out of the folder. O_NONBLOCK: opening a pipe would block.
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:
            return None
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode) or status.st_mtime <= self._clock():
                return None
            whole = file.read()
        check, data = whole[:_CHECKSUM_SIZE], whole[_CHECKSUM_SIZE:]
        return data if check == _checksum(data) else None

    def _write(self, path: Path, data: bytes, end: float, only_if: bool | None) -> bool:
        """Write a file, ``only_if`` there is one (True) or none (False) of an entry that has not expired."""
        descriptor, name = tempfile.mkstemp(_TEMPORARY, dir=self._folder)  # 0600
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(_checksum(data) + data)
                file.flush()
                os.utime(descriptor, (end, end))
            with self._locked():
                if only_if is None or (self._read(path) is not None) is only_if:
                    Path(name).replace(path)
                    return True
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        Path(name).unlink(missing_ok=True)
        return False

    def _remove(self, path: Path, only: bytes | None = None) -> bool:
        with self._locked():
            if only is not None and self._read(path) != only:
                return False
            path.unlink(missing_ok=True)
            return True

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Exclude other threads and processes (flock(2)); held for two system calls."""
        descriptor = os.open(self._folder, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _extend(self, path: Path, end: float) -> None:
        with suppress(OSError):
            status = path.lstat()
            if stat.S_ISREG(status.st_mode) and status.st_mtime > self._clock():
                os.utime(path, (end, end), follow_symlinks=False)

    def sweep(self) -> int:
        """Remove expired entries and temporary files of interrupted writes. Blocks.

        :returns: the number of files that were removed.
        """
        now, removed = self._clock(), 0
        for entry in os.scandir(self._folder):
            with suppress(OSError):
                end = entry.stat(follow_symlinks=False).st_mtime
                over = entry.name.endswith(_SUFFIX) and end <= now
                if over or (entry.name.endswith(_TEMPORARY) and end <= now - _HOUR):
                    Path(entry).unlink()
                    removed += 1
        return removed


def _checksum(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()[:_CHECKSUM_SIZE]
