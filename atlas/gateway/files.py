"""Sending files: ``http.response.pathsend`` and ``http.response.zerocopysend``.

On a socket without TLS the kernel copies the file (sendfile(2)); otherwise it is read in a thread, in chunks. Source:
the ASGI extensions "Path Send" and "Zero Copy Send".
"""

from __future__ import annotations

import asyncio
import errno
import os
import stat
from pathlib import Path
from typing import Any

from atlas._speedups.http.exchange import Exchange
from atlas.errors import ClientDisconnected
from atlas.gateway.threads import in_file_thread
from atlas.types import Event

__all__ = ["send_file"]

_CHUNK_SIZE = 262144  # bytes of one sendfile(2) or read(2)
_PROBE_SIZE = 16384  # bytes that are copied when the socket takes none
_CLIENT_ERRORS = (errno.EPIPE, errno.ECONNRESET, errno.ECONNABORTED, errno.ETIMEDOUT, errno.ENOTCONN)
_NO_SENDFILE = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)  # the file system cannot do it


async def send_file(exchange: Exchange, event: Event) -> None:
    """Send a file as the body of the response, or as a part of it.

    :param exchange: the exchange, whose response has started.
    :param event: a ``http.response.pathsend`` or ``http.response.zerocopysend`` event.
    :raises ValueError: for a path that is not absolute, or a range that is not in the file.
    :raises OSError: if the file cannot be opened, in which case no part of the response was written; or if it cannot be
        read.
    :raises ClientDisconnected: if the client disconnects.
    """
    if event["type"] == "http.response.pathsend":
        await _send_path(exchange, event["path"])
    else:
        await _send_descriptor(exchange, event)


async def _send_path(exchange: Exchange, path: Any) -> None:
    if not isinstance(path, (str, os.PathLike)) or not Path(path).is_absolute():
        raise ValueError(f"expected an absolute path in http.response.pathsend, got {path!r}")
    file = await in_file_thread(_OpenFile, path)
    try:
        status = os.fstat(file.descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise ValueError(f"expected the path of a file in http.response.pathsend, got {path!r}")
        await _send(exchange, file.descriptor, 0, status.st_size, False)
    finally:
        file.close()


class _OpenFile:
    """A descriptor that is closed with its object: a caller that was cancelled does not get the result of the thread.

    :param path: path of the file.
    """

    __slots__ = ("descriptor",)

    def __init__(self, path: Any) -> None:
        self.descriptor = -1
        # O_NONBLOCK: opening a pipe would otherwise block until a process opens it for writing.
        self.descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0))

    def close(self) -> None:
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    __del__ = close


async def _send_descriptor(exchange: Exchange, event: Event) -> None:
    file = event["file"]
    descriptor = file if isinstance(file, int) else file.fileno()
    size = os.fstat(descriptor).st_size
    offset = event.get("offset")
    if offset is None:
        offset = os.lseek(descriptor, 0, os.SEEK_CUR)
    count = event.get("count")
    if count is None:
        count = max(size - offset, 0)
    if offset < 0 or count < 0 or offset + count > size:
        raise ValueError(f"expected a range within the file's {size} bytes, got offset {offset} and count {count}")
    await _send(exchange, descriptor, offset, count, bool(event.get("more_body", False)))


async def _send(exchange: Exchange, descriptor: int, offset: int, count: int, more: bool) -> None:
    if exchange.open_body(count, more) and count:
        await exchange.drain()
        if exchange.socket_fd >= 0 and hasattr(os, "sendfile"):
            await _sendfile(exchange, descriptor, offset, count)
        else:
            await _read_and_write(exchange, descriptor, offset, count)
    exchange.close_body(count, more)


async def _sendfile(exchange: Exchange, descriptor: int, offset: int, count: int) -> None:
    while count:
        if exchange.lost or exchange.socket_fd < 0:
            raise ClientDisconnected("the client disconnected before the file was sent")
        try:
            sent = os.sendfile(exchange.socket_fd, descriptor, offset, min(count, _CHUNK_SIZE))
        except BlockingIOError:
            # The transport waits until the socket takes these bytes, and the caller with it: no second descriptor of
            # the socket has to be watched, and --timeout-write counts.
            sent = _write(exchange, descriptor, offset, min(count, _PROBE_SIZE))
            await exchange.drain()
        except OSError as error:
            if error.errno in _NO_SENDFILE:
                await _read_and_write(exchange, descriptor, offset, count)
                return
            if error.errno not in _CLIENT_ERRORS:
                raise
            exchange.abort()
            raise ClientDisconnected(f"the client disconnected: {error.strerror}") from None
        else:
            exchange.state.connections.count_sent(sent)
            await asyncio.sleep(0)
        _check_sent(sent)
        offset += sent
        count -= sent


def _write(exchange: Exchange, descriptor: int, offset: int, count: int) -> int:
    chunk = os.pread(descriptor, count, offset)
    exchange.write(chunk)
    return len(chunk)


def _check_sent(count: int) -> None:
    if count == 0:
        raise OSError("the file became shorter while it was being sent")


async def _read_and_write(exchange: Exchange, descriptor: int, offset: int, count: int) -> None:
    while count:
        chunk = await in_file_thread(os.pread, descriptor, min(count, _CHUNK_SIZE), offset)
        _check_sent(len(chunk))
        exchange.write(chunk)
        await exchange.drain()
        offset += len(chunk)
        count -= len(chunk)
