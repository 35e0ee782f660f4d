"""Accepts connections on listening sockets, and pauses while as many are open as allowed.

The event loop accepts on a duplicate of each socket. To pause, the duplicate is closed: the kernel still queues new
connections (``--backlog``), so that no client is refused and the process does not reach its descriptor limit.
"""

from __future__ import annotations

import asyncio
import logging
import resource
import socket
import time
from collections.abc import Callable, Sequence
from typing import Any

__all__ = ["Acceptor", "connection_limit"]

_logger = logging.getLogger("atlas.server")

_BURST = 64  # connections that an event loop may accept in one turn, before the protocol of the first is made
_TURNS = 3  # turns of asyncio's loop from accept(2) to connection_made, which it calls in a task
_WARNING_INTERVAL = 60.0  # seconds between two warnings about the connection limit
_RESERVED = 64  # descriptors for files, databases and the event loop


def connection_limit(setting: int | None) -> int:
    """Return the maximum number of open connections.

    :param setting: the value of ``--limit-connections``. It is reduced if the soft descriptor limit is too low for it;
        None means as many as that limit allows.
    """
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return setting or 1 << 30
    available = max(1, soft - _BURST - _RESERVED)
    return available if setting is None else min(setting, available)


class Acceptor:
    """Accepts connections on sockets. All methods are called on the event loop.

    :param sockets: bound and listening sockets. They stay the caller's to close.
    :param protocol_factory: makes the protocol of a connection, which has the methods of ``asyncio.BufferedProtocol``.
    :param backlog: the argument of ``listen(2)``.
    """

    def __init__(self, sockets: Sequence[socket.socket], protocol_factory: Callable[[], Any], backlog: int) -> None:
        self._sockets = sockets
        self._protocol_factory = protocol_factory
        self._backlog = backlog
        self._servers: list[asyncio.Server] = []
        self._accepting = False
        self._closed = False
        self._next_warning = 0.0
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Start to accept connections."""
        self._accepting = True
        await self._listen()

    def pause(self) -> None:
        """Stop accepting until :meth:`resume`. May be called while a connection is being accepted."""
        if self._closed:
            return
        now = time.monotonic()
        if now >= self._next_warning:
            self._next_warning = now + _WARNING_INTERVAL
            _logger.warning("the limit of open connections is reached (--limit-connections): new connections wait")
        self._accepting = False
        self._task = asyncio.ensure_future(self._stop_listening())

    def resume(self) -> None:
        """Accept connections again."""
        if not self._accepting and not self._closed:
            self._accepting = True
            self._task = asyncio.ensure_future(self._listen())

    async def finish(self) -> None:
        """Stop accepting for good, after the protocols of all accepted connections are made."""
        self._closed = True
        self._accepting = False
        await self._stop_listening()

    def close(self) -> None:
        """Stop accepting for good, immediately."""
        self._closed = True
        self._accepting = False
        if self._task is not None:
            self._task.cancel()
        servers, self._servers = self._servers, []
        for server in servers:
            server.close()

    async def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        for sock in self._sockets:
            # asyncio also uses the backlog as the number of connections to accept in one turn.
            backlog = min(self._backlog, _BURST)
            server = await loop.create_server(self._protocol_factory, sock=sock.dup(), backlog=backlog)
            sock.listen(self._backlog)
            if not self._accepting:
                server.close()
                return
            self._servers.append(server)

    async def _stop_listening(self) -> None:
        """Stop accepting, wait for the protocols of the accepted connections, and close the duplicate sockets.

        asyncio calls connection_made some turns after accept(2). Closing the server in between loses the connection.
        """
        loop = asyncio.get_running_loop()
        servers, self._servers = self._servers, []
        # uvloop accepts and calls connection_made in one step; there is no reader to remove, and nothing to wait for.
        had_readers = [loop.remove_reader(sock.fileno()) for server in servers for sock in server.sockets]
        try:
            for _ in range(_TURNS if any(had_readers) else 0):
                await asyncio.sleep(0)
        finally:
            for server in servers:
                server.close()
