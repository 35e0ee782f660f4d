"""Writes log lines to standard output, standard error and files, without waiting for the process that reads them.

A pipe, a terminal or a socket whose reader stands still is full at some point, and a write to it would block the event
loop. A disk may be full for a while. Lines are kept until there is room, up to a limit; further ones are dropped.
"""

from __future__ import annotations

import errno
import fcntl
import os
import select
import stat
import sys
import termios
import time
from array import array
from typing import TextIO

from atlas.errors import StartupError

__all__ = ["LogFile", "Output", "open_standard_streams"]

_MAX_PENDING = 65536  # bytes that wait for room
_ATOMIC = 512  # bytes that fit where poll(2) reports room: PIPE_BUF of POSIX
_PIPE_BUF = getattr(select, "PIPE_BUF", _ATOMIC)
_GONE = (errno.EPIPE, errno.EBADF, errno.ECONNRESET)  # there never will be a reader again
_CLOSE_TIMEOUT = 1.0  # seconds that a reader has for the last lines


class LogFile:
    """A file that lines are appended to. Several processes may append to the same file.

    :param path: the path; the file is created if there is none.
    :param flag: the setting that names it, for the message.
    :raises StartupError: if it cannot be opened.
    """

    def __init__(self, path: str, flag: str) -> None:
        self.path = path
        try:
            self._descriptor = self._open()
        except OSError as error:
            reason = "it is a pipe that nothing reads" if error.errno == errno.ENXIO else error.strerror
            raise StartupError(f"{flag} {path}: cannot be opened: {reason}") from None

    def _open(self) -> int:
        # O_NONBLOCK: opening a pipe would otherwise block until a process opens it for reading.
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
        return os.open(self.path, flags, 0o640)

    def fileno(self) -> int:
        """Return the descriptor, which stays the same when the file is opened again; -1 if the file is closed."""
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def reopen(self) -> None:
        """Open the path again: the file may have been renamed.

        :raises OSError: if that fails. Lines go to the same file as before then.
        """
        descriptor = self._open()
        os.dup2(descriptor, self._descriptor, inheritable=False)  # at once: a thread may be about to write
        os.close(descriptor)

    def close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


class Output:
    """Writes whole lines to a stream.

    :param stream: the stream; None for standard output or error of a process that has none: nothing is written.
    """

    def __init__(self, stream: TextIO | LogFile | None) -> None:
        self.stream = stream
        self.pending = bytearray()
        """What waits for room."""
        self.dropped = 0
        """Number of lines that were dropped because too many wait."""
        self.error: Exception | None = None
        """The error of the last write; None if it was successful, or if the reader is only slow."""
        self.is_gone = False
        """Whether the stream or its reader is closed, so that nothing is written any more."""

    def write(self, text: str) -> None:
        """Write lines, or keep them until the next call if there is no room."""
        self.write_bytes(text.encode("utf-8", "backslashreplace"))

    def write_bytes(self, data: bytes) -> None:
        """Write lines in UTF-8, as :meth:`write` does."""
        if self.stream is None or self.is_gone:
            return
        try:
            descriptor = self.stream.fileno()
        except (OSError, ValueError, AttributeError):  # pytest's capture or a notebook: there is no descriptor
            self._write_to_stream(data.decode())
            return
        self.pending += data
        self._send(descriptor)
        if len(self.pending) > _MAX_PENDING:
            kept = self.pending.rfind(b"\n", 0, _MAX_PENDING) + 1
            self.dropped += self.pending.count(b"\n", kept)
            del self.pending[kept:]

    @property
    def name(self) -> str:
        """What the lines are written to, for messages."""
        return self.stream.path if isinstance(self.stream, LogFile) else "standard output"

    def flush(self) -> None:
        """Write what waits, as far as there is room now."""
        if self.pending and not self.is_gone:
            self.write("")

    def write_rest(self) -> None:
        """Write what waits, because the process ends: the reader has a second to read, and to make room for more."""
        deadline = time.monotonic() + _CLOSE_TIMEOUT
        self.flush()
        while self.pending and self.error is None and (left := deadline - time.monotonic()) > 0:
            assert self.stream is not None  # else nothing waits
            _wait_for_room(self.stream.fileno(), left)
            self.flush()

    def reopen(self) -> None:
        """Open the file again, if it is one.

        :raises OSError: if that fails.
        """
        if isinstance(self.stream, LogFile):
            self.flush()
            self.stream.reopen()
            self.is_gone = False

    def close(self) -> None:
        """Write what waits, and close the file, if it is one. Other streams are not this object's to close."""
        self.write_rest()
        if isinstance(self.stream, LogFile):
            self.is_gone = True
            self.stream.close()

    def _send(self, descriptor: int) -> None:
        self.error = None
        try:
            while self.pending and (room := _room(descriptor)):
                del self.pending[: os.write(descriptor, self.pending[:room])]
        except BlockingIOError:
            pass
        except OSError as error:
            self.error = error
            if error.errno in _GONE:
                self.is_gone = True
                self.pending.clear()

    def _write_to_stream(self, text: str) -> None:
        assert self.stream is not None
        assert not isinstance(self.stream, LogFile)
        try:
            self.stream.write(text)
        except (OSError, ValueError) as error:  # the stream was closed
            self.error, self.is_gone = error, True


def _room(descriptor: int) -> int:
    """Return how many bytes a write takes without waiting; 0 if it would wait."""
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return sys.maxsize
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    if not poll.poll(0):
        return 0
    # Where the reader is gone, poll reports an error, and the write raises it.
    return _size_of_empty_pipe(descriptor) or _PIPE_BUF


def _wait_for_room(descriptor: int, seconds: float) -> None:
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    poll.poll(seconds * 1000)


def _size_of_empty_pipe(descriptor: int) -> int:
    unread = array("i", [1])
    try:
        size = fcntl.fcntl(descriptor, fcntl.F_GETPIPE_SZ)  # of Linux; an error for anything but a pipe
        fcntl.ioctl(descriptor, termios.FIONREAD, unread)
    except (AttributeError, OSError):
        return 0
    return 0 if unread[0] else size


def open_standard_streams() -> None:
    """Open standard input, output and error on the null device where they are closed.

    Some supervisors close them. The first sockets would get their numbers, which libuv does not support, and which a
    print() of the application or of a C library would write to.
    """
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(descriptor)
        except OSError:
            null = os.open(os.devnull, os.O_RDWR)
            if null != descriptor:
                os.dup2(null, descriptor)
                os.close(null)
            os.set_inheritable(descriptor, True)
        if getattr(sys, name) is None:
            stream = open(descriptor, "r" if descriptor == 0 else "w", closefd=False)  # noqa: SIM115 - of the process
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)
