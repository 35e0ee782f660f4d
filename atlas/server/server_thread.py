"""A server in a thread of its own, for the length of a ``with`` block."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING

from atlas.errors import StartupError
from atlas.server.event_loop import run_main

if TYPE_CHECKING:
    from atlas.server.server import Server

__all__ = ["ServerThread"]

_JOIN_TIMEOUT = 15.0  # seconds beyond the graceful timeout after which the thread counts as blocked


class ServerThread:
    """Runs the ``serve()`` of a server in a thread; see :meth:`atlas.Server.run_in_thread`.

    :param server: the server, not yet started.
    :param loop_factory: makes the event loop of the thread.
    """

    def __init__(self, server: Server, loop_factory: Callable[[], asyncio.AbstractEventLoop]) -> None:
        self._server = server
        self._loop_factory = loop_factory
        self._thread = threading.Thread(target=self._run, name="atlas server", daemon=True)
        self._started_or_failed = threading.Event()
        self._started = False
        self._error: BaseException | None = None

    def __enter__(self) -> Server:
        self._thread.start()
        try:
            self._started_or_failed.wait()
        except BaseException:  # Ctrl+C during the startup
            self._server.stop()
            raise
        if self._error is not None:
            self._thread.join()
            raise self._error
        if not self._started:
            raise StartupError("the server was stopped before it had started")
        return self._server

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop()
        self._thread.join(self._server.graceful_timeout + _JOIN_TIMEOUT)
        if self._thread.is_alive():
            self._close_sockets()
            raise RuntimeError("the server thread did not end: a call of the application blocks it")
        if self._error is not None and error is None:
            raise self._error

    def _run(self) -> None:
        try:
            run_main(self._main(), self._loop_factory)
        except SystemExit as error:  # it would end the program that has entered the block
            self._error = StartupError(f"the application called sys.exit({error.code!r})")
        except BaseException as error:
            self._error = error
        finally:
            self._started_or_failed.set()

    async def _main(self) -> None:
        notification = asyncio.create_task(self._notify_started())
        try:
            await self._server.serve()
        finally:
            notification.cancel()

    async def _notify_started(self) -> None:
        await self._server.wait_started()
        self._started = True
        self._started_or_failed.set()

    def _close_sockets(self) -> None:
        for sock in self._server.sockets:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)  # ends listening for every duplicate of it
            sock.close()
