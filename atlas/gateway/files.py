"""Sending files: ``http.response.pathsend`` and ``http.response.zerocopysend``.

On a socket without TLS the kernel copies the file (sendfile(2)); otherwise it is read in a thread, in chunks. Source:
the ASGI extensions "Path Send" and "Zero Copy Send".
"""

from __future__ import annotations

import asyncio
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
    descriptor = await in_file_thread(os.open, path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise ValueError(f"expected the path of a file in http.response.pathsend, got {path!r}")
        await _send(exchange, descriptor, 0, status.st_size, False)
    finally:
        os.close(descriptor)


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
            await _wait_writable(exchange)
            continue
        except OSError as error:
            raise ClientDisconnected(f"the client disconnected: {error.strerror}") from None
        if sent == 0:
            raise OSError("the file became shorter while it was being sent")
        offset += sent
        count -= sent
        await asyncio.sleep(0)


async def _wait_writable(exchange: Exchange) -> None:
    """Wait until the socket is writable. The loop watches a duplicate, because the transport owns the descriptor."""
    loop = asyncio.get_running_loop()
    writable = loop.create_future()
    duplicate = os.dup(exchange.socket_fd)
    loop.add_writer(duplicate, _set_result, writable)
    exchange.watch_loss(writable)
    try:
        async with asyncio.timeout(exchange.state.connections.write_timeout):
            await writable
    except TimeoutError:
        exchange.abort()
        raise ClientDisconnected("the client did not read for too long (--timeout-write)") from None
    finally:
        exchange.unwatch_loss(writable)
        loop.remove_writer(duplicate)
        os.close(duplicate)


def _set_result(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


async def _read_and_write(exchange: Exchange, descriptor: int, offset: int, count: int) -> None:
    while count:
        chunk = await in_file_thread(os.pread, descriptor, min(count, _CHUNK_SIZE), offset)
        if not chunk:
            raise OSError("the file became shorter while it was being sent")
        exchange.write(chunk)
        await exchange.drain()
        offset += len(chunk)
        count -= len(chunk)
