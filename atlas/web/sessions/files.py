"""Sessions as files in a folder, which the processes of one machine share.

A file's name is a digest of the session's, so nothing that a client sends is ever part of a path. Its time of change is
the time at which it ends. It is written under another name and moved into place: nobody reads half of it.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from atlas.gateway.threads import in_thread

__all__ = ["FileStore"]

_SUFFIX = ".session"
_UNFINISHED = ".unfinished"
_CHECK = 16  # bytes of the digest in front of the data: a file that a crash left behind in part is no session
_HOUR = 3600.0


class FileStore:
    """A store in a folder of its own, which is made if it is not there, for nobody but this user.

    :param directory: the folder.
    :param sweep_every: files written until those that are over are looked for and removed.
    :param clock: seconds since the epoch.
    :raises ValueError: if there is something else than a folder. :raises OSError: if it cannot be made.
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
        """What was kept under this name, None if that is over."""
        return await in_thread(self._read, self._path(name))

    async def set(self, name: str, data: bytes, seconds: float) -> None:
        """Keep it. Of two that write at once the later one wins, whole."""
        await in_thread(self._write, self._path(name), data, self._clock() + seconds)
        self._written += 1
        if self._written % self._sweep_every == 0:
            await in_thread(self.sweep)

    async def delete(self, name: str) -> None:
        """Forget it."""
        await in_thread(self._path(name).unlink, missing_ok=True)

    async def touch(self, name: str, seconds: float) -> None:
        """Let it end later."""
        await in_thread(self._prolong, self._path(name), self._clock() + seconds)

    def _path(self, name: str) -> Path:
        return self._folder / (hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest() + _SUFFIX)

    def _read(self, path: Path) -> bytes | None:
        try:
            # A link would lead out of the folder, and opening a pipe would wait for somebody to write to it.
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:
            return None
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode) or status.st_mtime <= self._clock():
                return None
            whole = file.read()
        check, data = whole[:_CHECK], whole[_CHECK:]
        return data if check == _check(data) else None

    def _write(self, path: Path, data: bytes, end: float) -> None:
        descriptor, name = tempfile.mkstemp(_UNFINISHED, dir=self._folder)  # 0600
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(_check(data) + data)
                file.flush()
                os.utime(descriptor, (end, end))
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    def _prolong(self, path: Path, end: float) -> None:
        with suppress(OSError):
            status = path.lstat()
            if stat.S_ISREG(status.st_mode) and status.st_mtime > self._clock():
                os.utime(path, (end, end), follow_symlinks=False)

    def sweep(self) -> int:
        """Remove the sessions that are over, and what unfinished writes have left behind. It blocks.

        :returns: how many files that were.
        """
        now, removed = self._clock(), 0
        for entry in os.scandir(self._folder):
            with suppress(OSError):
                end = entry.stat(follow_symlinks=False).st_mtime
                over = entry.name.endswith(_SUFFIX) and end <= now
                if over or (entry.name.endswith(_UNFINISHED) and end <= now - _HOUR):
                    Path(entry).unlink()
                    removed += 1
        return removed


def _check(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()[:_CHECK]
