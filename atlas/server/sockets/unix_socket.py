"""Unix sockets with a file: made, replaced if a server that has ended left one behind, and removed at the end."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from atlas.errors import StartupError

try:
    import fcntl
except ImportError:  # Windows, which has no Unix sockets in Python
    fcntl = None  # type: ignore[assignment]

__all__ = ["UnixSocket", "bind_unix"]

_LOCK_TIMEOUT = 1.0  # seconds that another server may need to make its socket in the same directory
_LOCK_INTERVAL = 0.01


class UnixSocket(socket.socket):
    """A Unix socket whose file is removed when it is closed, if it is still the socket's own."""

    path: Path | None = None
    _identity: tuple[int, int] | None = None

    def own_file(self, path: Path) -> None:
        """Remove ``path``, which this socket is bound to, on :meth:`close`."""
        self.path, self._identity = path, _identity(path)

    def close(self) -> None:
        # The file is removed first: a server that starts meanwhile replaces the file of a closed socket by its own,
        # which can get the same inode number.
        path, self.path = self.path, None
        if path is not None and self._identity == _identity(path):  # else another server has replaced the file
            path.unlink(missing_ok=True)
        super().close()


def bind_unix(name: str, mode: int, backlog: int, origin: str) -> UnixSocket:
    """Return a non-blocking Unix socket that listens.

    A file that is there is replaced only if it is a socket on which no server listens.

    :param name: the path of its file.
    :param mode: the permissions of the file; a client needs that of writing.
    :param backlog: the length of the accept queue.
    :param origin: the flag with its value, for error messages.
    :raises StartupError: if the path cannot be used.
    """
    # absolute() would keep "..", and a socket address has at most 107 bytes.
    path = Path(os.path.abspath(name))  # noqa: PTH100
    with _locked(path.parent):
        _remove_stale(path, origin)
        sock = UnixSocket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.bind(str(path))
            sock.own_file(path)
            path.chmod(mode)  # nothing connects before listen(2)
            sock.listen(backlog)
            sock.setblocking(False)
        except OSError as error:
            sock.close()
            raise StartupError(f"{origin}: cannot listen: {error.strerror or error}") from None
    return sock


@contextlib.contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Keep other servers of Atlas from making a socket in the directory meanwhile.

    Two that start at once may both find the file of a server that has ended. Without the lock, the second one would
    remove the file that the first one has made since.
    """
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # a missing directory is an error of bind(2)
            descriptor = os.open(directory, os.O_RDONLY)
            stack.callback(os.close, descriptor)  # which also unlocks
            _lock(descriptor)
        yield


def _lock(descriptor: int) -> None:
    """Lock a file, but do not wait long: the lock may be that of another program."""
    end = time.monotonic() + _LOCK_TIMEOUT
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > end:
                return
            time.sleep(_LOCK_INTERVAL)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.lstat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _remove_stale(path: Path, origin: str) -> None:
    """Remove the socket file of a server that has ended.

    :raises StartupError: if a server listens there, or the file is not a socket.
    """
    try:
        mode = path.lstat().st_mode
    except OSError:
        return  # there is no file; a missing directory is an error of bind(2)
    if not stat.S_ISSOCK(mode):
        raise StartupError(f"{origin}: this file exists and is not a socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
            return
        except FileNotFoundError:
            return
        except BlockingIOError:
            pass  # the accept queue of a server is full
        except OSError as error:
            raise StartupError(f"{origin}: cannot be replaced: {error.strerror or error}") from None
    raise StartupError(f"{origin} is already in use: another server listens on it")
