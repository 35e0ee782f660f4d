"""The end of a server's connections and requests: drained, finished, told to end, and at last cancelled."""

from __future__ import annotations

import asyncio
import logging

from atlas._speedups.http.exchange import Gateway
from atlas._speedups.http.server_state import ServerState

__all__ = ["CANCEL_TIMEOUT", "Shutdown"]

_logger = logging.getLogger("atlas.server")

_DISCONNECT_TIMEOUT = 0.25  # seconds that requests have to end after they were told to, before they are cancelled
CANCEL_TIMEOUT = 2.0
"""Seconds that cancelled requests have to end."""


class Shutdown:
    """Ends the connections of a server that accepts no more.

    :param state: what the connections share.
    :param gateway: calls the application, and has the tasks of its requests.
    :param forced: set when the server is stopped a second time; then nothing is waited for.
    """

    def __init__(self, state: ServerState, gateway: Gateway, forced: asyncio.Event) -> None:
        self._state = state
        self._gateway = gateway
        self._forced = forced
        self.all_closed = asyncio.Event()
        """To be set when the last connection has closed."""

    async def run(self, drain_timeout: float, graceful_timeout: float) -> None:
        """Close idle connections and wait for the running requests; then end them, and at last cancel their tasks.

        :param drain_timeout: seconds in which idle connections may still send a request.
        :param graceful_timeout: seconds that the running requests have in all.
        """
        connections = self._state.connections
        connections.drain()
        if await self._wait_closed(drain_timeout) or self._forced.is_set():
            return
        connections.stop()
        if await self._wait_closed(graceful_timeout - drain_timeout) or self._forced.is_set():
            return
        if self._state.in_work:
            left, what = self._state.in_work, "requests are still running"
        else:
            left, what = connections.open, "responses are not read by their clients"
        message = "%d %s after %g seconds (--timeout-graceful-shutdown): they are ended"
        _logger.warning(message, left, what, graceful_timeout)
        if self._state.counters is not None:
            self._state.counters.add_timeout("graceful_shutdown")
        connections.end_now()
        if await self._wait_closed(_DISCONNECT_TIMEOUT) or self._forced.is_set():
            return
        self._gateway.cancel()
        if not await self._wait_closed(CANCEL_TIMEOUT) and self._gateway.tasks:
            _logger.error("%d requests ignored their cancellation", len(self._gateway.tasks))

    async def _wait_closed(self, seconds: float) -> bool:
        """Wait until all connections are closed and all requests have ended.

        :returns: False after so many seconds, or when the server was stopped a second time.
        """
        if self._state.connections.open == 0:
            self.all_closed.set()
        closed = asyncio.ensure_future(self._wait_all())
        forced = asyncio.ensure_future(self._forced.wait())
        try:
            await asyncio.wait({closed, forced}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            return closed.done()
        finally:
            closed.cancel()
            forced.cancel()

    async def _wait_all(self) -> None:
        await self.all_closed.wait()
        while self._gateway.tasks:
            await asyncio.wait(self._gateway.tasks)
            await asyncio.sleep(0)  # the callbacks of the tasks remove them from the set
