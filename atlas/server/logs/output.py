"""Writes log lines to standard output and standard error, without waiting for the process that reads them.

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
from array import array
from typing import TextIO

__all__ = ["Output", "open_standard_streams"]

_MAX_PENDING = 65536  # bytes that wait for room
_ATOMIC = 512  # bytes that fit where poll(2) reports room: PIPE_BUF of POSIX
_PIPE_BUF = getattr(select, "PIPE_BUF", _ATOMIC)
_GONE = (errno.EPIPE, errno.EBADF, errno.ECONNRESET)  # there never will be a reader again


class Output:
    """Writes whole lines to a stream.

    :param stream: the stream; None for standard output or error of a process that has none: nothing is written.
    """

    def __init__(self, stream: TextIO | None) -> None:
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
        if self.stream is None or self.is_gone:
            return
        try:
            descriptor = self.stream.fileno()
        except (OSError, ValueError, AttributeError):  # pytest's capture or a notebook: there is no descriptor
            self._write_to_stream(text)
            return
        self.pending += text.encode("utf-8", "backslashreplace")
        self._send(descriptor)
        if len(self.pending) > _MAX_PENDING:
            kept = self.pending.rfind(b"\n", 0, _MAX_PENDING) + 1
            self.dropped += self.pending.count(b"\n", kept)
            del self.pending[kept:]

    def flush(self) -> None:
        """Write what waits, as far as there is room now."""
        if self.pending and not self.is_gone:
            self.write("")

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
