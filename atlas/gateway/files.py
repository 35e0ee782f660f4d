"""Files as responses: ``http.response.pathsend`` and ``http.response.zerocopysend``.

On a plain socket the kernel copies (sendfile(2)); elsewhere pieces are read in a thread. Source: the ASGI extensions
"Path Send" and "Zero Copy Send".
"""

from __future__ import annotations

import asyncio
import os
import stat
from pathlib import Path
from typing import Any

from atlas._speedups.http.exchange import Exchange
from atlas.errors import ClientDisconnected
from atlas.types import Event

__all__ = ["send_file"]

_PIECE = 262144  # bytes that one sendfile(2) or read(2) is asked for


async def send_file(exchange: Exchange, event: Event) -> None:
    """Send the file that the event names as the response's body, or as the next piece of it.

    :raises ValueError: for a path that is not absolute, or a range that is not in the file.
    :raises OSError: if the file can't be opened; nothing of the response was written by then.
    :raises ClientDisconnected: if the client goes away.
    """
    if event["type"] == "http.response.pathsend":
        await _send_path(exchange, event["path"])
    else:
        await _send_descriptor(exchange, event)


async def _send_path(exchange: Exchange, path: Any) -> None:
    if not isinstance(path, (str, os.PathLike)) or not Path(path).is_absolute():
        raise ValueError(f"expected an absolute path in http.response.pathsend, got {path!r}")
    descriptor = await asyncio.to_thread(os.open, path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    try:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode):
            raise ValueError(f"expected the path of a file in http.response.pathsend, got {path!r}")
        await _send(exchange, descriptor, 0, about.st_size, False)
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
            await _by_kernel(exchange, descriptor, offset, count)
        else:
            await _by_hand(exchange, descriptor, offset, count)
    exchange.close_body(count, more)


async def _by_kernel(exchange: Exchange, descriptor: int, offset: int, count: int) -> None:
    while count:
        if exchange.lost or exchange.socket_fd < 0:
            raise ClientDisconnected("the client went away before the file was sent")
        try:
            sent = os.sendfile(exchange.socket_fd, descriptor, offset, min(count, _PIECE))
        except BlockingIOError:
            await _until_writable(exchange)
            continue
        except OSError as error:
            raise ClientDisconnected(f"the client went away: {error.strerror}") from None
        if sent == 0:
            raise OSError("the file became shorter while it was being sent")
        offset += sent
        count -= sent
        await asyncio.sleep(0)


async def _until_writable(exchange: Exchange) -> None:
    """Wait for room in the socket. A duplicate is watched, for the transport owns the descriptor itself."""
    loop = asyncio.get_running_loop()
    writable = loop.create_future()
    duplicate = os.dup(exchange.socket_fd)
    loop.add_writer(duplicate, _set, writable)
    exchange.watch_loss(writable)
    try:
        async with asyncio.timeout(exchange.write_timeout):
            await writable
    except TimeoutError:
        exchange.abort()
        raise ClientDisconnected("the client read nothing for too long (--timeout-write)") from None
    finally:
        exchange.unwatch_loss(writable)
        loop.remove_writer(duplicate)
        os.close(duplicate)


def _set(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


async def _by_hand(exchange: Exchange, descriptor: int, offset: int, count: int) -> None:
    while count:
        piece = await asyncio.to_thread(os.pread, descriptor, min(count, _PIECE), offset)
        if not piece:
            raise OSError("the file became shorter while it was being sent")
        exchange.write(piece)
        await exchange.drain()
        offset += len(piece)
        count -= len(piece)
