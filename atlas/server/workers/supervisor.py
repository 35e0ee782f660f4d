"""The parent of worker processes: starts them, replaces those that end, restarts and stops them.

The parent binds the sockets, so that a wrong address is an error before anything else, and never imports the
application. It handles signals as other servers of this kind do:

* SIGTERM, SIGINT: stop all workers gracefully; a second one ends them at once.
* SIGHUP: replace the workers one after the other. A new worker serves before the old one stops.
* SIGTTIN, SIGTTOU: one worker more, one fewer.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import time
from collections.abc import Coroutine, Iterator
from typing import Any

from atlas.errors import LifespanError, StartupError
from atlas.server.configuration.settings import Settings
from atlas.server.sockets import listener
from atlas.server.tls.contexts import make_context, uses_tls
from atlas.server.workers.worker import WorkerTask
from atlas.server.workers.worker_process import WorkerProcess, WorkerState
from atlas.server.workers.worker_table import WorkerTable

__all__ = ["Supervisor", "supervise"]

_logger = logging.getLogger("atlas.server")

_MAX_WORKERS = 256  # entries of the table, with those of workers that are being replaced
_QUICK = 5.0  # seconds; a worker that serves for less before it ends counts for the delay of the next start
_FIRST_DELAY, _LONGEST_DELAY = 0.5, 30.0  # seconds before another start, doubled each time
_MARGIN = 5.0  # seconds that a worker has to end after the graceful timeout
_CHECK_INTERVAL = 0.5  # seconds between two looks at the heartbeats
_FORCED_TIMEOUT = 2.0  # seconds that a worker has to end after a second signal
_ABORT_TIMEOUT = 2.0  # seconds from SIGABRT, which prints the stacks, to SIGKILL
_LIFESPAN_FAILED = 3  # exit status of a worker, see atlas.cli.main


def supervise(app: str, settings: Settings) -> None:
    """Serve an application in worker processes until SIGTERM or SIGINT.

    :param app: ``module:attr``.
    :param settings: the settings; ``workers`` is the number of processes.
    :raises StartupError: if the address cannot be used, a certificate is wrong, or no worker became ready.
    """
    make_context(settings)  # a wrong certificate is an error of the parent
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        runner.run(Supervisor(app, settings).run())


class Supervisor:
    """The parent of the workers.

    :param app: ``module:attr``.
    :param settings: the settings.
    """

    def __init__(self, app: str, settings: Settings) -> None:
        self._app = app
        self._settings = settings
        self._wanted = settings.workers
        self._workers: list[WorkerProcess] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._table, self._table_fd = WorkerTable.create(_MAX_WORKERS)
        self._free = set(range(_MAX_WORKERS))  # entries of the table that no worker has
        self._sockets: list[socket.socket] = []
        self._was_ready = False
        self._quick_ends = 0
        self._stopping = asyncio.Event()
        self._forced = asyncio.Event()
        self._failure: StartupError | None = None
        self._restarting = asyncio.Lock()

    async def run(self) -> None:
        """Serve until the workers are stopped by a signal.

        :raises StartupError: if the address cannot be used, or no worker became ready.
        """
        self._sockets = listener.bind(self._settings)
        try:
            with self._signals():
                _logger.info("starting %d workers", self._wanted)
                for _ in range(self._wanted):
                    self._run(self._keep_one())
                self._run(self._watch_heartbeats())
                await self._stopping.wait()
                await self._stop()
        finally:
            listener.close(self._sockets)
            self._table.close()
            os.close(self._table_fd)
        if self._failure is not None:
            raise self._failure
        _logger.info("stopped")

    # What the signals do.

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        handlers = {
            signal.SIGTERM: self._handle_stop,
            signal.SIGINT: self._handle_stop,
            signal.SIGHUP: lambda: self._run(self._restart()),
            signal.SIGTTIN: lambda: self._change(+1),
            signal.SIGTTOU: lambda: self._change(-1),
        }
        for number, handler in handlers.items():
            loop.add_signal_handler(number, handler)
        try:
            yield
        finally:
            for number in handlers:
                loop.remove_signal_handler(number)

    def _handle_stop(self) -> None:
        if self._stopping.is_set():
            self._forced.set()
        else:
            _logger.info("stopping")
            self._stopping.set()

    def _change(self, difference: int) -> None:
        """Have one worker more, or one fewer, but at least one."""
        if self._stopping.is_set() or not 1 <= self._wanted + difference <= _MAX_WORKERS // 2:
            return
        self._wanted += difference
        _logger.info("%d workers (%s)", self._wanted, "SIGTTIN" if difference > 0 else "SIGTTOU")
        if difference > 0:
            self._run(self._keep_one())
        else:
            self._serving()[-1].stop()

    def _run(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _serving(self) -> list[WorkerProcess]:
        return [worker for worker in self._workers if worker.state is not WorkerState.STOPPING]

    # The workers.

    async def _keep_one(self) -> None:
        await self._keep(await self._start())

    async def _keep(self, worker: WorkerProcess) -> None:
        """Wait until a worker ends, and start another one in its place, until there are to be fewer."""
        while True:
            if await self._wait_ready(worker):
                await worker.ended
            quick = worker.state is not WorkerState.STOPPING and time.monotonic() - worker.since < _QUICK
            await self._remove(worker)
            if not self._was_ready:
                self._fail(worker)
            self._quick_ends = self._quick_ends + 1 if quick else 0
            if self._quick_ends > 1:
                await self._pause(min(_FIRST_DELAY * 2 ** (self._quick_ends - 2), _LONGEST_DELAY))
            if self._stopping.is_set() or len(self._serving()) >= self._wanted:
                return
            worker = await self._start()

    async def _pause(self, seconds: float) -> None:
        """Wait, but not longer than the workers are to be kept."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    async def _start(self) -> WorkerProcess:
        index = min(self._free)
        self._free.remove(index)
        sockets = tuple(sock.fileno() for sock in self._sockets)
        task = WorkerTask(self._app, self._settings, sockets, self._table_fd, _MAX_WORKERS, index)
        worker = await WorkerProcess.start(task)
        self._workers.append(worker)
        return worker

    async def _wait_ready(self, worker: WorkerProcess) -> bool:
        """Wait until a worker serves; end it if it does not in time."""
        await asyncio.wait(
            {worker.ready, worker.ended},
            timeout=self._settings.timeout_worker_startup,
            return_when=asyncio.FIRST_COMPLETED,
        )
        if worker.ready.done() and worker.ready.result():
            if not self._was_ready:
                self._was_ready = True
                self._log_addresses()
            return True
        if worker.ready.done():  # it ends by itself
            await asyncio.wait({worker.ended}, timeout=_MARGIN)
        if not worker.ended.done():
            if not worker.ready.done():
                seconds = self._settings.timeout_worker_startup
                _logger.error(
                    "worker %d is not ready after %g seconds (--timeout-worker-startup): it is ended",
                    worker.pid,
                    seconds,
                )
            worker.signal(signal.SIGKILL)
            await worker.ended
        return False

    async def _remove(self, worker: WorkerProcess) -> None:
        """Forget a worker that has ended, with a log line unless it was told to stop."""
        self._workers.remove(worker)
        self._table.clear(worker.task.index)
        self._free.add(worker.task.index)
        await worker.close()
        if worker.state is not WorkerState.STOPPING and not self._stopping.is_set():
            level = logging.INFO if worker.ended.result() == 0 else logging.ERROR
            _logger.log(level, "worker %d %s: another one is started", worker.pid, worker.describe_end())

    def _fail(self, worker: WorkerProcess) -> None:
        """No worker has ever served: another one would end in the same way."""
        kind = LifespanError if worker.ended.result() == _LIFESPAN_FAILED else StartupError
        self._failure = self._failure or kind("no worker became ready: see the error above")
        self._stopping.set()

    async def _restart(self) -> None:
        """Replace the workers, one after the other. A worker stops when another one serves in its place."""
        async with self._restarting:
            _logger.info("restarting the workers (SIGHUP)")
            for old in self._serving():
                if self._stopping.is_set():
                    return
                new = await self._start()
                if not await self._wait_ready(new):
                    _logger.error("the restart is given up: a new worker is not ready, and the others go on")
                    new.state = WorkerState.STOPPING
                    await self._remove(new)
                    return
                self._run(self._keep(new))
                old.stop()
            _logger.info("the workers are restarted")

    async def _watch_heartbeats(self) -> None:
        """End the workers whose event loop has not run for too long."""
        while True:
            await asyncio.sleep(_CHECK_INTERVAL)
            now = time.monotonic()
            for worker in self._workers:
                heartbeat = self._table.read(worker.task.index)[2]
                if (
                    worker.state is WorkerState.READY
                    and heartbeat
                    and now - heartbeat > self._settings.timeout_worker_heartbeat
                ):
                    self._run(self._abort(worker))

    async def _abort(self, worker: WorkerProcess) -> None:
        _logger.error(
            "the event loop of worker %d has not run for %g seconds (--timeout-worker-heartbeat): the worker is ended",
            worker.pid,
            self._settings.timeout_worker_heartbeat,
        )
        self._table.clear(worker.task.index)
        worker.signal(signal.SIGABRT)
        await asyncio.wait({worker.ended}, timeout=_ABORT_TIMEOUT)
        worker.signal(signal.SIGKILL)

    async def _stop(self) -> None:
        """Stop all workers gracefully; end those that do not stop in time, or after a second signal."""
        for worker in self._workers:
            worker.stop()
        ended = [worker.ended for worker in self._workers]
        if ended:
            forced = asyncio.ensure_future(self._forced.wait())
            all_ended = asyncio.ensure_future(asyncio.wait(ended))
            timeout = self._settings.timeout_graceful_shutdown + _MARGIN
            await asyncio.wait({forced, all_ended}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            forced.cancel()
            all_ended.cancel()
            if self._forced.is_set():
                for worker in self._workers:
                    worker.signal(signal.SIGTERM)  # its second one: it ends at once, with its access log written
                await asyncio.wait(ended, timeout=_FORCED_TIMEOUT)
            for worker in self._workers:
                if not worker.ended.done():
                    if not self._forced.is_set():
                        _logger.error("worker %d did not stop: it is ended", worker.pid)
                    worker.signal(signal.SIGKILL)
            await asyncio.wait(ended)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for worker in self._workers:
            await worker.close()

    def _log_addresses(self) -> None:
        scheme = "https" if uses_tls(self._settings) else "http"
        _logger.info("serving on %s (press Ctrl+C to stop)", listener.describe_all(self._sockets, scheme))
