"""The parent of worker processes: starts them, replaces those that end, restarts and stops them.

The supervisor binds the sockets, so that a wrong address is an error before anything else, and never imports the
application. It handles signals as other servers of this kind do:

* SIGTERM, SIGINT: stop all workers gracefully; a second one ends them at once.
* SIGHUP: replace the workers one after the other. A new worker serves before the old one stops.
* SIGTTIN, SIGTTOU: one worker more, one fewer.
* SIGUSR1: open the log files again, in all processes.

Each worker has a task, :meth:`Supervisor._keep`, which starts another one in its place.
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
from atlas.server.logs import open_logs
from atlas.server.metrics.worker_processes import WorkerProcesses
from atlas.server.sockets import listener
from atlas.server.systemd.notifier import Notifier
from atlas.server.tls.contexts import make_context, uses_tls
from atlas.server.workers.fork_server import LIFESPAN_FAILED
from atlas.server.workers.fork_server_process import ForkServer
from atlas.server.workers.health import HealthWatch, resident_size
from atlas.server.workers.worker_pool import MAX_WORKERS, WorkerPool
from atlas.server.workers.worker_process import WorkerProcess, WorkerState

__all__ = ["Supervisor", "supervise"]

_logger = logging.getLogger("atlas.server")

_QUICK = 5.0  # seconds; a worker that serves for less before it ends counts for the delay of the next start
_FIRST_DELAY, _LONGEST_DELAY = 0.5, 30.0  # seconds before another start, doubled each time
_LONGEST_PAUSE = 2.0  # seconds since the last heartbeat of any worker, for the watchdog of systemd
_MARGIN = 5.0  # seconds that a worker has to end after the graceful timeout


def supervise(app: str, settings: Settings) -> None:
    """Serve an application in worker processes until SIGTERM or SIGINT.

    :param app: ``module:attr``.
    :param settings: the settings; ``workers`` is the number of processes.
    :raises StartupError: if the address cannot be used, a certificate is wrong, or no worker became ready.
    """
    make_context(settings)  # a wrong certificate is an error of the supervisor
    if settings.workers_max_rss is not None and resident_size(os.getpid()) is None:
        raise StartupError("--workers-max-rss: this system does not tell the size of a process: it has no /proc")
    sockets = listener.bind(settings)
    try:
        with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
            runner.run(Supervisor(app, settings, sockets).run())
    finally:
        listener.close(sockets)


class Supervisor:
    """The parent of the workers.

    :param app: ``module:attr``.
    :param settings: the settings.
    :param sockets: the listening sockets.
    """

    def __init__(self, app: str, settings: Settings, sockets: list[socket.socket]) -> None:
        self._settings = settings
        self._sockets = sockets
        self._stopping = asyncio.Event()
        self._metrics: WorkerProcesses | None = None
        if settings.metrics is not None:
            self._metrics = WorkerProcesses(MAX_WORKERS, lambda: self._pool.states(), self._stopping.is_set)
        self._pool = WorkerPool(app, settings, sockets, self._handle_max_requests, self._metrics)
        self._wanted = settings.workers
        self._kept = 0  # workers that have a task, which starts another one when they end
        self._failed = 0  # of those, how many ended before any worker was ready
        self._tasks: set[asyncio.Task[None]] = set()
        self._fork_server: ForkServer | None = None
        self._fork_server_lock = asyncio.Lock()
        self._first_ready = asyncio.Event()
        self._forced = asyncio.Event()
        self._notifier = Notifier.from_environment(os.environ)
        self._quick_ends = 0
        self._failure: StartupError | None = None
        self._replacing = asyncio.Lock()
        self._restart_waits = False

    async def run(self) -> None:
        """Serve until the workers are stopped by a signal.

        :raises StartupError: if no worker became ready.
        """
        async with contextlib.AsyncExitStack() as stack:
            stack.enter_context(self._signals())
            if self._metrics is not None:
                await self._open_endpoint(stack, self._metrics)
            _logger.info("starting %d workers", self._wanted)
            for _ in range(self._wanted):
                self._run(self._keep(None))
            health = HealthWatch(self._pool, self._settings, self._replace_later)
            await self._stopping.wait()
            health.close()
            await self._stop()
            await self._pool.close()
        self._notifier.close()
        if self._failure is not None:
            raise self._failure
        _logger.info("stopped")

    async def _open_endpoint(self, stack: contextlib.AsyncExitStack, metrics: WorkerProcesses) -> None:
        from atlas.server.metrics.endpoint import serving  # imported only with --metrics

        assert self._settings.metrics is not None
        stack.callback(metrics.close)
        await stack.enter_async_context(serving(self._settings.metrics, metrics))

    def _run(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # What the signals do.

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        handlers = {
            signal.SIGTERM: self._handle_stop,
            signal.SIGINT: self._handle_stop,
            signal.SIGHUP: self._handle_restart,
            signal.SIGTTIN: lambda: self._change(+1),
            signal.SIGTTOU: lambda: self._change(-1),
            signal.SIGUSR1: self._handle_reopen,
            signal.SIGCHLD: self._pool.reap,
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
            self._notifier.stopping()
            self._stopping.set()

    def _handle_restart(self) -> None:
        if not self._restart_waits:  # one that begins later gets the same code
            self._restart_waits = True
            self._run(self._restart())

    def _handle_reopen(self) -> None:
        open_logs.reopen()
        self._pool.signal(signal.SIGUSR1)

    def _change(self, difference: int) -> None:
        """Have one worker more, or one fewer, but at least one."""
        if self._stopping.is_set() or not 1 <= self._wanted + difference <= MAX_WORKERS // 2:
            return
        self._wanted += difference
        _logger.info("%d workers (%s)", self._wanted, "SIGTTIN" if difference > 0 else "SIGTTOU")
        if difference > 0:
            self._run(self._keep(None))
        elif serving := self._pool.serving():
            serving[-1].stop()

    # One worker after another.

    async def _keep(self, worker: WorkerProcess | None) -> None:
        """Wait until a worker ends, and start another one in its place, until there are to be fewer.

        :param worker: the worker; None to start it first.
        """
        self._kept += 1
        worker = worker or await self._start()
        while True:
            delay = self._next_delay(quick=True) if worker is None else await self._wait_ended(worker)
            if not self._first_ready.is_set():
                await self._wait_for_others(worker)
            await self._pause(delay)
            if self._stopping.is_set() or self._kept > self._wanted:
                break
            self._count_restart()
            worker = await self._start()
        self._kept -= 1

    async def _pause(self, seconds: float) -> None:
        """Wait, but not longer than the workers are to be kept."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    async def _start(self) -> WorkerProcess | None:
        """Start a worker; return None if that is not possible at this time."""
        async with self._fork_server_lock:
            if self._stopping.is_set():
                return None
            if self._fork_server is None or self._fork_server.is_gone:
                self._fork_server = await self._pool.start_fork_server()
                if self._fork_server is None:
                    if not self._first_ready.is_set() and not self._stopping.is_set():
                        self._fail(None)
                    return None
            return await self._start_from(self._fork_server)

    async def _start_from(self, fork_server: ForkServer) -> WorkerProcess | None:
        worker = await self._pool.start(fork_server)
        if worker is not None and self._stopping.is_set():
            worker.stop()
        return worker

    async def _wait_ready(self, worker: WorkerProcess) -> bool:
        if not await self._pool.wait_ready(worker):
            return False
        if not self._first_ready.is_set():
            self._first_ready.set()
            self._log_addresses()
        return True

    async def _wait_ended(self, worker: WorkerProcess) -> float:
        """Wait until a worker ends, and forget it, with a log line unless it was told to stop.

        :returns: the seconds to wait before another one is started.
        """
        if served := await self._wait_ready(worker):
            await worker.stops_or_ends()
            await self._pool.wait_ended(worker, self._settings.timeout_graceful_shutdown + _MARGIN)
        await self._pool.remove(worker)
        if worker.state is WorkerState.STOPPING or self._stopping.is_set():
            return 0.0
        delay = self._next_delay(quick=not served or time.monotonic() - worker.since < _QUICK)
        level = logging.INFO if worker.ended.result() == 0 else logging.ERROR
        when = f" in {delay:g} seconds" if delay else ""
        _logger.log(level, "worker %d %s: another one is started%s", worker.pid, worker.describe_end(), when)
        return delay

    def _next_delay(self, quick: bool) -> float:
        """Return the seconds to wait after a worker has ended, or could not be started.

        :param quick: whether it has served for a short time only.
        """
        self._quick_ends = self._quick_ends + 1 if quick else 0
        return min(_FIRST_DELAY * 2 ** (self._quick_ends - 2), _LONGEST_DELAY) if self._quick_ends > 1 else 0.0

    async def _wait_for_others(self, worker: WorkerProcess | None) -> None:
        """No worker has served before one has ended. If the others end in the same way, another one would, too."""
        self._failed += 1
        if self._failed == self._kept and not self._stopping.is_set():
            self._fail(worker)
        ready, stopping = (asyncio.ensure_future(event.wait()) for event in (self._first_ready, self._stopping))
        await asyncio.wait({ready, stopping}, return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        stopping.cancel()

    def _fail(self, worker: WorkerProcess | None) -> None:
        failed_lifespan = worker is not None and worker.ended.result() == LIFESPAN_FAILED
        kind = LifespanError if failed_lifespan else StartupError
        self._failure = self._failure or kind("no worker became ready: see the error above")
        self._stopping.set()

    # New workers for old ones.

    async def _restart(self) -> None:
        """Replace the workers, one after the other, by workers of a new fork server."""
        async with self._replacing:
            self._restart_waits = False
            _logger.info("restarting the workers (SIGHUP)")
            self._notifier.reloading()
            fork_server = await self._pool.start_fork_server()
            replaced = False
            for old in self._pool.serving():
                if self._stopping.is_set():
                    return
                if fork_server is None or not await self._replace_by(old, fork_server):
                    _logger.error("the restart is given up: a new worker is not ready, and the others go on")
                    break
                if not replaced:
                    previous, self._fork_server = self._fork_server, fork_server
                    if previous is not None:
                        previous.close()
                    replaced = True
            else:
                _logger.info("the workers are restarted")
            if fork_server is not None and not replaced:
                fork_server.close()
            self._notifier.ready()

    def _handle_max_requests(self, worker: WorkerProcess) -> None:
        self._replace_later(worker, "has begun as many requests as it may (--limit-max-requests)")

    def _replace_later(self, worker: WorkerProcess, why: str) -> None:
        """Replace a worker that serves, unless this is done already.

        :param worker: the worker.
        :param why: the reason, for the log, as a verb.
        """
        if not worker.is_replaced:
            worker.is_replaced = True
            self._run(self._replace(worker, why))

    async def _replace(self, old: WorkerProcess, why: str) -> None:
        while True:
            async with self._replacing:
                if old.state is not WorkerState.READY or old.ended.done() or self._stopping.is_set():
                    return
                _logger.info("worker %d %s: another one takes its place", old.pid, why)
                if await self._replace_by(old, None):
                    return
            _logger.error("a new worker is not ready: worker %d goes on", old.pid)
            await self._pause(_LONGEST_DELAY)

    async def _replace_by(self, old: WorkerProcess, fork_server: ForkServer | None) -> bool:
        """Start a worker in place of another one, which stops when the new one serves.

        :param fork_server: which forks the new one; None for the one that is used for all.
        :returns: False if the new one has ended before; the old one goes on.
        """
        new = await (self._start() if fork_server is None else self._start_from(fork_server))
        if new is None:
            return False
        if not await self._wait_ready(new):
            await self._pool.remove(new)
            return False
        self._count_restart()
        self._run(self._keep(new))
        old.stop()
        return True

    def _count_restart(self) -> None:
        if self._metrics is not None:
            self._metrics.restarts += 1

    # The end.

    async def _stop(self) -> None:
        """Stop all workers gracefully; end those that do not stop in time, or after a second signal."""
        if self._failure is None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._forced.wait(), self._settings.shutdown_delay)
        self._pool.stop()
        all_ended = asyncio.ensure_future(self._wait_tasks())
        forced = asyncio.ensure_future(self._forced.wait())
        await asyncio.wait({forced, all_ended}, return_when=asyncio.FIRST_COMPLETED)
        forced.cancel()
        if not all_ended.done():
            await self._pool.force()
        await all_ended

    async def _wait_tasks(self) -> None:
        """Each task ends when its worker has, which takes no longer than the graceful timeout and a margin."""
        while self._tasks:
            await asyncio.wait(self._tasks)
            await asyncio.sleep(0)  # the callbacks of the tasks remove them from the set

    def _log_addresses(self) -> None:
        scheme = "https" if uses_tls(self._settings) else "http"
        addresses = listener.describe_all(self._sockets, scheme)
        _logger.info("serving on %s (press Ctrl+C to stop)", addresses)
        self._notifier.ready(f"serving on {addresses}")
        self._notifier.start_watchdog(self._is_alive)

    def _is_alive(self) -> bool:
        """Return whether the event loop of a worker runs, or the workers are stopped, which has its own time-outs."""
        return self._stopping.is_set() or time.monotonic() - self._pool.last_heartbeat() < _LONGEST_PAUSE
