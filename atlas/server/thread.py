"""A server in a thread of its own, for the length of a ``with`` block."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING

from atlas.server.loops import run_to_end

if TYPE_CHECKING:
    from atlas.server.server import Server

__all__ = ["ServerThread"]

_PATIENCE = 15.0  # seconds beyond the grace that a thread has to end, before it counts as stuck


class ServerThread:
    """Runs a server's ``serve()`` in a thread; see :meth:`atlas.Server.in_thread`."""

    def __init__(self, server: Server, make_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
        self._server = server
        self._make_loop = make_loop
        self._thread = threading.Thread(target=self._run, name="atlas server", daemon=True)
        self._up_or_failed = threading.Event()
        self._error: BaseException | None = None

    def __enter__(self) -> Server:
        self._thread.start()
        try:
            self._up_or_failed.wait()
        except BaseException:  # Ctrl+C while it starts
            self._server.stop()
            raise
        if self._error is not None:
            self._thread.join()
            raise self._error
        return self._server

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop()
        self._thread.join(self._server.grace + _PATIENCE)
        if self._thread.is_alive():
            self._free_the_port()
            raise RuntimeError("the server's thread is stuck in a blocking call of the application; it is left behind")
        if self._error is not None and error is None:
            raise self._error

    def _run(self) -> None:
        try:
            run_to_end(self._main(), self._make_loop)
        except BaseException as error:
            self._error = error
        finally:
            self._up_or_failed.set()

    async def _main(self) -> None:
        telling = asyncio.create_task(self._tell())
        try:
            await self._server.serve()
        finally:
            telling.cancel()

    async def _tell(self) -> None:
        await self._server.wait_started()
        self._up_or_failed.set()

    def _free_the_port(self) -> None:
        for sock in self._server.sockets:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)  # ends listening for every duplicate of it
            sock.close()
