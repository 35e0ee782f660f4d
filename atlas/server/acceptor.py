"""Accepts connections on listening sockets, and stops for a while when there are as many as there may be.

The event loop accepts on a duplicate of each socket. To pause, the duplicate is closed: the kernel goes on to queue what
comes (``--backlog``), and nobody is turned away with a reset or runs into the descriptor limit.
"""

from __future__ import annotations

import asyncio
import logging
import resource
import socket
from collections.abc import Callable, Sequence

__all__ = ["Acceptor", "connection_limit"]

_logger = logging.getLogger("atlas.server")

_BURST = 64  # connections that a loop may accept before it tells us of the first
_RESERVE = 64  # descriptors for everything that is no connection: files, databases, the loop itself


def connection_limit(wanted: int | None) -> int:
    """The number of connections that may be open: ``wanted``, or what the soft descriptor limit leaves room for."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return wanted or 1 << 30
    room = max(1, soft - _BURST - _RESERVE)
    return room if wanted is None else min(wanted, room)


class Acceptor:
    """Lets a loop accept on sockets; all methods are called on that loop.

    :param sockets: bound and listening.
    :param make: makes the protocol of a new connection.
    :param backlog: as given to ``listen(2)``.
    """

    def __init__(
        self, sockets: Sequence[socket.socket], make: Callable[[], asyncio.BaseProtocol], backlog: int
    ) -> None:
        self._sockets = sockets
        self._make = make
        self._backlog = backlog
        self._servers: list[asyncio.Server] = []
        self._wanted = False
        self._change: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Begin to accept."""
        self._wanted = True
        await self._listen()

    def pause(self) -> None:
        """Accept nothing until :meth:`resume`."""
        self._wanted = False
        _logger.warning("as many connections are open as may be (--limit-connections): new ones wait")
        # We are called while a connection is being accepted, which uvloop's server doesn't survive being closed in.
        asyncio.get_running_loop().call_soon(self._unless_resumed)

    def resume(self) -> None:
        """Accept again."""
        if not self._wanted:
            self._wanted = True
            if not self._servers:
                self._change = asyncio.ensure_future(self._listen())

    def close(self) -> None:
        """Accept no more; the sockets themselves stay the caller's."""
        self._wanted = False
        if self._change is not None:
            self._change.cancel()
        self._close_servers()

    async def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        for sock in self._sockets:
            # asyncio's own loop takes the backlog for the number of connections to accept in one go as well.
            server = await loop.create_server(self._make, sock=sock.dup(), backlog=min(self._backlog, _BURST))
            sock.listen(self._backlog)
            if not self._wanted:
                server.close()
                return
            self._servers.append(server)

    def _unless_resumed(self) -> None:
        if not self._wanted:
            self._close_servers()

    def _close_servers(self) -> None:
        servers, self._servers = self._servers, []
        for server in servers:
            server.close()
