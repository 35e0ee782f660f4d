"""The parent of a server process that restarts when files change (``--reload``).

The parent binds the sockets and keeps them open: a client that connects while no process serves waits for the next
one. It never imports the application. A process that fails to start has printed its error; the next one starts after
the next change.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from atlas.errors import StartupError
from atlas.server.configuration.load_settings import LoadedSettings
from atlas.server.configuration.settings import LISTEN, Settings, settings_table
from atlas.server.logs import configuration as logs
from atlas.server.reload.file_watcher import Changes, FileWatcher
from atlas.server.reload.watched_files import Effect, WatchedFiles, describe
from atlas.server.run import prepare_process
from atlas.server.sockets import listener
from atlas.server.systemd.notifier import Notifier
from atlas.server.systemd.socket_activation import use_passed_sockets
from atlas.server.tls.contexts import make_context, uses_tls
from atlas.server.workers.worker import REFRESH, WorkerTask
from atlas.server.workers.worker_process import WorkerProcess, WorkerState

__all__ = ["Reloader", "serve_and_reload"]

_logger = logging.getLogger("atlas.server")

_RESTART_DELAY = 0.5  # seconds after a process that has ended by itself
_MARGIN = 5.0  # seconds that the process has to end after the graceful timeout


def serve_and_reload(load: Callable[[], LoadedSettings], environ: Mapping[str, str]) -> None:
    """Serve an application until SIGTERM or SIGINT; restart it when its files change.

    :param load: returns the target and the settings; called again when a file changes that settings come from.
    :param environ: the environment variables without those of the env file, for these calls.
    :raises StartupError: if the address cannot be used, or a setting is wrong.
    """

    def load_again() -> LoadedSettings:
        os.environ.clear()
        os.environ.update(environ)
        return _with_passed_sockets(load())

    loaded = _with_passed_sockets(load())
    prepare_process(loaded.settings)
    if loaded.settings.workers > 1:
        _logger.warning("--workers %d has no effect with --reload: one process serves", loaded.settings.workers)
    make_context(loaded.settings)  # a wrong certificate is an error of the parent
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        runner.run(Reloader(loaded, load_again).run())


def _with_passed_sockets(loaded: LoadedSettings) -> LoadedSettings:
    return LoadedSettings(loaded.app, use_passed_sockets(loaded.settings, os.environ))


class Reloader:
    """The parent of the process that serves.

    :param loaded: the target and the settings.
    :param load: returns them again.
    :raises StartupError: if a directory that is to be watched does not exist.
    """

    def __init__(self, loaded: LoadedSettings, load: Callable[[], LoadedSettings]) -> None:
        self._loaded = loaded
        self._load = load
        self._files = WatchedFiles.of(loaded.settings)
        self._settings_files = self._files.settings_snapshot()
        """The state of the files that settings come from when they were loaded."""
        self._sockets: list[socket.socket] = []
        self._stopping = asyncio.Event()
        self._forced = asyncio.Event()
        self._changes: asyncio.Task[Changes] | None = None
        self._notifier = Notifier.from_environment(os.environ)

    @property
    def _settings(self) -> Settings:
        return self._loaded.settings

    async def run(self) -> None:
        """Serve until a signal comes.

        :raises StartupError: if the address cannot be used.
        """
        self._sockets = listener.bind(self._settings)
        try:
            with self._signals():
                self._notify()
                while not self._stopping.is_set():
                    async with FileWatcher(self._files, self._settings.reload_delay) as watcher:
                        roots = ", ".join(map(str, self._files.roots))
                        _logger.info("watching %s for changes (%s)", roots, watcher.method)
                        await self._serve(watcher)
        finally:
            self._notifier.close()
            listener.close(self._sockets)
        _logger.info("stopped")

    def _notify(self) -> None:
        """Tell the service manager that requests are accepted, though they may wait for an application that starts."""
        addresses = listener.describe_all(self._sockets, "https" if uses_tls(self._settings) else "http")
        self._notifier.ready(f"serving on {addresses}")
        self._notifier.start_watchdog()

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._handle_stop)
        try:
            yield
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)

    def _handle_stop(self) -> None:
        if self._stopping.is_set():
            self._forced.set()
        else:
            self._notifier.stopping()
        self._stopping.set()

    async def _serve(self, watcher: FileWatcher) -> None:
        """Serve until the settings have changed, or a signal comes."""
        settings = self._settings
        try:
            while not self._stopping.is_set() and settings is self._settings:
                await watcher.catch_up()
                # A change while the last process has ended is known to the watcher now, but not loaded.
                if (paths := self._changed_settings()) and self._load_again(paths):
                    break
                worker = await self._start()
                try:
                    await self._until_restart(worker, watcher)
                finally:
                    await self._end(worker)
        finally:
            await self._forget_changes()
        if settings is not self._settings and not self._stopping.is_set():
            self._bind_again(settings)

    async def _start(self) -> WorkerProcess:
        sockets = tuple(sock.fileno() for sock in self._sockets)
        task = WorkerTask(self._loaded.app or "", self._settings, sockets)
        return await WorkerProcess.start(task, in_own_group=False)

    # Until the next restart.

    async def _until_restart(self, worker: WorkerProcess, watcher: FileWatcher) -> None:
        """Wait until the process has to be replaced: files have changed, or it has served and ended by itself."""
        stopping: asyncio.Future[Any] = asyncio.ensure_future(self._stopping.wait())
        ended: set[asyncio.Future[Any]] = {worker.ended}
        try:
            while True:
                self._changes = self._changes or asyncio.ensure_future(watcher.wait())
                await asyncio.wait({stopping, self._changes, *ended}, return_when=asyncio.FIRST_COMPLETED)
                if stopping.done():
                    return
                if self._changes.done():
                    changes, self._changes = self._changes.result(), None
                    if await self._apply(changes, worker):
                        return
                if ended and worker.ended.done():
                    if worker.state is WorkerState.READY and worker.ended.result() == 0:
                        await asyncio.wait({stopping}, timeout=_RESTART_DELAY)
                        return  # --limit-max-requests
                    _logger.error("the server process %s: it starts again after a change", worker.describe_end())
                    ended.clear()
        finally:
            stopping.cancel()

    async def _apply(self, changes: Changes, worker: WorkerProcess) -> bool:
        """Return whether changes need a restart. Load the settings again, or tell open pages, if they do not."""
        paths = changes.get(Effect.SETTINGS, [])
        if paths and not self._load_again(paths):
            paths = []
        if paths := [*paths, *changes.get(Effect.RESTART, [])]:
            _logger.warning("%s changed: restarting", describe(paths))
            return True
        if changes.get(Effect.REFRESH):
            await worker.send(REFRESH)
        return False

    def _changed_settings(self) -> list[Path]:
        """Return the files that settings come from which have changed since they were loaded."""
        known, seen = self._settings_files, self._files.settings_snapshot()
        return [path for path in known.keys() | seen.keys() if known.get(path) != seen.get(path)]

    def _load_again(self, changed: Iterable[Path]) -> bool:
        """Load the settings again. If one is wrong, they and the environment stay as they are: return False."""
        before, environ = self._files.settings_snapshot(), dict(os.environ)
        try:
            loaded = self._load()
            files = WatchedFiles.of(loaded.settings)
        except StartupError as error:
            os.environ.clear()
            os.environ.update(environ)
            self._settings_files = before
            _logger.error("%s: %s", describe(changed), error)
            return False
        found = {**files.settings_snapshot(), **before}
        self._settings_files = {path: found[path] for path in files.settings_files if path in found}
        self._files, self._loaded = files, loaded
        logs.configure(self._settings)
        return True

    def _bind_again(self, before: Settings) -> None:
        """Bind the sockets anew if their settings have changed. If that fails, the old address stays in use."""
        if _addresses(before) == _addresses(self._settings):
            return
        listener.close(self._sockets, kept=listener.inherited(before))
        self._sockets = []
        try:
            self._sockets = listener.bind(self._settings)
        except StartupError as error:
            _logger.error("%s", error)
            self._sockets = listener.bind(before)

    async def _forget_changes(self) -> None:
        changes, self._changes = self._changes, None
        if changes is not None:
            changes.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await changes

    # The end of a process.

    async def _end(self, worker: WorkerProcess) -> None:
        """Stop a process gracefully; kill it after the grace, or at a second signal."""
        started = time.monotonic()
        await self._forget_changes()
        worker.stop()
        forced = asyncio.ensure_future(self._forced.wait())
        timeout = self._settings.timeout_graceful_shutdown + _MARGIN
        ended: asyncio.Future[Any] = worker.ended
        await asyncio.wait({ended, forced}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        forced.cancel()
        if not worker.ended.done():
            if not self._forced.is_set():
                seconds = time.monotonic() - started
                _logger.error("the server process did not stop within %.0f seconds: it is killed", seconds)
            worker.signal(signal.SIGKILL)
            await worker.ended
        await worker.close()


def _addresses(settings: Settings) -> list[object]:
    return [getattr(settings, name) for name, setting in settings_table().items() if setting.group == LISTEN]
