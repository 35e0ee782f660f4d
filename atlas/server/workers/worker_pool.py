"""The worker processes that there are: started, waited for, ended and reaped."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial

from atlas.server.configuration.settings import Settings
from atlas.server.metrics.worker_processes import WorkerProcesses
from atlas.server.workers.fork_server_process import ForkServer, set_ended
from atlas.server.workers.worker import FORCE, WorkerTask
from atlas.server.workers.worker_process import WorkerProcess, WorkerState
from atlas.server.workers.worker_table import WorkerTable

__all__ = ["MAX_WORKERS", "WorkerPool"]

_logger = logging.getLogger("atlas.server")

MAX_WORKERS = 256
"""Entries of the table: of workers that serve, and of those that are replaced."""
_FORCED_TIMEOUT = 2.0  # seconds that a worker has to end after a second signal
_MARGIN = 5.0  # seconds that a process has to end after it has closed its connection


class WorkerPool:
    """The workers of a supervisor, their entries in the table, and the fork servers that have forked them.

    :param app: ``module:attr``.
    :param settings: the settings.
    :param sockets: the listening sockets.
    :param on_replace: called when a worker has served ``--limit-max-requests``.
    :param metrics: shows what the workers count; None, the default, for nothing.
    """

    def __init__(
        self,
        app: str,
        settings: Settings,
        sockets: Sequence[socket.socket],
        on_replace: Callable[[WorkerProcess], None],
        metrics: WorkerProcesses | None = None,
    ) -> None:
        self._settings = settings
        self._on_replace = on_replace
        self.table, self._table_fd = WorkerTable.create(MAX_WORKERS)
        self._metrics = metrics
        descriptors = tuple(sock.fileno() for sock in sockets)
        counters = None if metrics is None else metrics.fd
        self._task = WorkerTask(app, settings, descriptors, self._table_fd, MAX_WORKERS, 0, counters)
        self._free = set(range(MAX_WORKERS))  # entries of the table that no worker has
        self.workers: list[WorkerProcess] = []
        self._fork_servers: list[ForkServer] = []

    def serving(self) -> list[WorkerProcess]:
        """Return the workers that were not told to stop."""
        return [worker for worker in self.workers if worker.state is not WorkerState.STOPPING]

    def states(self) -> Counter[str]:
        """Return the number of workers by the name of their state."""
        return Counter(worker.state.value for worker in self.workers)

    async def start_fork_server(self) -> ForkServer | None:
        """Start a fork server, and with ``--preload`` import the application in it.

        :returns: None if that failed, or took longer than ``--timeout-worker-startup``; it has logged why.
        """
        server = ForkServer(self._task)
        self._fork_servers.append(server)
        seconds = self._settings.timeout_worker_startup
        await asyncio.wait({server.ready}, timeout=seconds)
        if not server.ready.done():
            message = "the application is not imported after %g seconds (--timeout-worker-startup): the import is ended"
            _logger.error(message, seconds)
            server.signal(signal.SIGKILL)
        if await server.ready:
            return server
        await self._end_fork_server(server)
        return None

    async def start(self, server: ForkServer) -> WorkerProcess | None:
        """Start a worker; return None if its fork server has ended."""
        index = min(self._free)
        self._free.remove(index)
        self.table.use(index)
        worker = await server.fork(index)
        if worker is None:
            self._free.add(index)
            return None
        if self._metrics is not None:
            self._metrics.add_worker(index)
        worker.on_replace = partial(self._on_replace, worker)
        self.workers.append(worker)
        return worker

    async def wait_ready(self, worker: WorkerProcess) -> bool:
        """Wait until a worker serves. One that does not in time is killed, and has ended when this returns False."""
        seconds = self._settings.timeout_worker_startup
        await asyncio.wait({worker.ready}, timeout=seconds)
        if not worker.ready.done():
            message = "worker %d is not ready after %g seconds (--timeout-worker-startup): it is ended"
            _logger.error(message, worker.pid, seconds)
            worker.signal(signal.SIGKILL)
        if await worker.ready:
            return True
        await self.wait_ended(worker, _MARGIN)
        return False

    async def wait_ended(self, worker: WorkerProcess, seconds: float) -> None:
        """Wait until a worker has ended; kill it after so many seconds."""
        await asyncio.wait({worker.ended}, timeout=seconds)
        if not worker.ended.done():
            _logger.error("worker %d did not stop: it is ended", worker.pid)
            worker.signal(signal.SIGKILL)
        await worker.ended

    def last_heartbeat(self) -> float:
        """Return when the event loop of any worker ran last, by :func:`time.monotonic`; 0.0 if none is known to run."""
        return max((self.table.read(worker.index)[2] for worker in self.workers), default=0.0)

    async def remove(self, worker: WorkerProcess) -> None:
        """Forget a worker that has ended."""
        self.workers.remove(worker)
        self.table.clear(worker.index)
        if self._metrics is not None:
            self._metrics.remove_worker(worker.index)
        self._free.add(worker.index)
        await worker.close()

    def stop(self) -> None:
        """Have all workers stop gracefully. What still starts is ended."""
        for worker in self.workers:
            worker.stop()
        for server in self._fork_servers:
            if not server.ready.done():
                server.signal(signal.SIGKILL)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to every process."""
        for worker in self.workers:
            worker.signal(number)
        for server in self._fork_servers:
            server.signal(number)

    def reap(self) -> None:
        """Take the exit status of each child that has ended.

        The first process of a container (PID 1) also is the parent of all processes whose own parent has ended.
        """
        children = (
            [-1] if os.getpid() == 1 else [server.pid for server in self._fork_servers if not server.ended.done()]
        )
        for child in children:
            with contextlib.suppress(ChildProcessError):
                while True:
                    pid, status = os.waitpid(child, os.WNOHANG)
                    if pid == 0:
                        break
                    self._set_ended(pid, os.waitstatus_to_exitcode(status))

    def _set_ended(self, pid: int, status: int) -> None:
        for server in self._fork_servers:
            if server.pid == pid:
                server.reaped(status)
        for worker in self.workers:
            if worker.pid == pid:
                set_ended(worker.ended, status)

    async def force(self) -> None:
        """Have all workers that stop end at once, and kill those that do not."""
        for worker in self.workers:
            await worker.send(FORCE)
        if ended := [worker.ended for worker in self.workers]:
            await asyncio.wait(ended, timeout=_FORCED_TIMEOUT)
        for worker in self.workers:
            worker.signal(signal.SIGKILL)

    async def close(self) -> None:
        """End the fork servers, whose workers have all ended, and release everything."""
        for server in self._fork_servers:
            server.close()
            await self._end_fork_server(server)
        self.table.close()
        os.close(self._table_fd)

    async def _end_fork_server(self, server: ForkServer) -> None:
        await asyncio.wait({server.ended}, timeout=_MARGIN)
        server.signal(signal.SIGKILL)
        await server.ended
        await server.release()
