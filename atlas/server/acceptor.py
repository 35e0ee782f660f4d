"""Accepts connections on listening sockets, and stops for a while when there are as many as there may be.

The event loop accepts on a duplicate of each socket. To pause, the duplicate is closed: the kernel goes on to queue
what comes (``--backlog``), and nobody is turned away with a reset or runs into the descriptor limit.
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

_BURST = 64  # connections that a loop may accept before it tells us of the first
_TURNS = 3  # of the loop from accept(2) to the protocol's connection_made, where that takes a task (asyncio's loop)
_SILENCE = 60.0  # seconds between two lines that say that new connections wait
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
    :param make: makes the protocol of a new connection: an ``asyncio.BufferedProtocol`` in all but its bases.
    :param backlog: as given to ``listen(2)``.
    """

    def __init__(self, sockets: Sequence[socket.socket], make: Callable[[], Any], backlog: int) -> None:
        self._sockets = sockets
        self._make = make
        self._backlog = backlog
        self._servers: list[asyncio.Server] = []
        self._wanted = False
        self._over = False
        self._silent_until = 0.0
        self._change: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Begin to accept."""
        self._wanted = True
        await self._listen()

    def pause(self) -> None:
        """Accept nothing until :meth:`resume`; may be called while a connection is being accepted."""
        if self._over:
            return
        now = time.monotonic()
        if now >= self._silent_until:
            self._silent_until = now + _SILENCE
            _logger.warning("as many connections are open as may be (--limit-connections): new ones wait")
        self._wanted = False
        self._change = asyncio.ensure_future(self._retire())

    def resume(self) -> None:
        """Accept again."""
        if not self._wanted and not self._over:
            self._wanted = True
            self._change = asyncio.ensure_future(self._listen())

    async def finish(self) -> None:
        """Accept no more, and let those in who were accepted already."""
        self._over = True
        self._wanted = False
        await self._retire()

    def close(self) -> None:
        """Accept no more, at once; the sockets themselves stay the caller's."""
        self._over = True
        self._wanted = False
        if self._change is not None:
            self._change.cancel()
        servers, self._servers = self._servers, []
        for server in servers:
            server.close()

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

    async def _retire(self) -> None:
        """Stop accepting, and close when everybody who was accepted has been introduced to a protocol.

        A loop takes a turn or two for that, and loses those who are in between when their server closes.
        """
        loop = asyncio.get_running_loop()
        servers, self._servers = self._servers, []
        # uvloop has no reader there: it accepts and introduces in one step, and nobody is in between.
        in_steps = [loop.remove_reader(sock.fileno()) for server in servers for sock in server.sockets]
        try:
            for _ in range(_TURNS if any(in_steps) else 0):
                await asyncio.sleep(0)
        finally:
            for server in servers:
                server.close()
