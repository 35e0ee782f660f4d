"""Waits for changes of files: woken by watchfiles where it is installed, else by looking at intervals.

Either way two snapshots of times and sizes are compared. So what an editor does to a file (writes it, or puts another
one in its place) makes no difference, and neither do events that the system merges or drops.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from atlas.server.reload.watched_files import Effect, Snapshot, WatchedFiles

__all__ = ["Changes", "FileWatcher"]

_logger = logging.getLogger("atlas.server")

_SETTLE_TIME = 0.05  # seconds without a further change after which a burst of changes is over
_LONGEST_BURST = 2.0  # seconds
_NEW_DIRECTORY_TIME = 0.5  # seconds in which the files of a new directory may come without being reported
_EVENT_INTERVAL = 1.0  # seconds between two looks at the files of settings, which may be outside of the directories

Changes = dict[Effect, list[Path]]
"""The files that have changed, by what their change means."""


class FileWatcher:
    """Waits for changes of files. It is used inside ``async with``.

    :param files: the files.
    :param interval: seconds between two looks at all files, without watchfiles.
    """

    def __init__(self, files: WatchedFiles, interval: float) -> None:
        self.files = files
        self._interval = interval
        self._known: Snapshot = {}
        self._event = asyncio.Event()
        self._notifier: asyncio.Task[None] | None = None

    async def __aenter__(self) -> FileWatcher:
        if (watch := _watchfiles()) is not None:
            self._notifier = asyncio.ensure_future(self._notify(watch))
            await asyncio.sleep(0)  # it watches from here on: a change is reported, or part of the first snapshot
        self._known = await self._look()
        return self

    async def __aexit__(self, *exception: object) -> None:
        if self._notifier is not None:
            self._notifier.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._notifier

    @property
    def method(self) -> str:
        """What is used: ``watchfiles`` or ``polling``."""
        return "polling" if self._notifier is None or self._notifier.done() else "watchfiles"

    async def wait(self) -> Changes:
        """Wait for changes since the last call, and until there are no more for a moment."""
        while True:
            await self._wait_for_event()
            seen = await self._look()
            if seen != self._known:
                break
        seen = await self._settle(seen)
        known, self._known = self._known, seen
        changes: Changes = {}
        for path in sorted(known.keys() | seen.keys()):
            if known.get(path) != seen.get(path) and (effect := self.files.effect(path)) is not None:
                changes.setdefault(effect, []).append(path)
        return changes

    async def catch_up(self) -> None:
        """Take the present state of the files as the known one."""
        self._event.clear()
        self._known = await self._look()

    async def _settle(self, seen: Snapshot) -> Snapshot:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _LONGEST_BURST
        while loop.time() < deadline:
            await asyncio.sleep(_SETTLE_TIME)
            previous, seen = seen, await self._look()
            if seen == previous:
                break
        return seen

    async def _look(self) -> Snapshot:
        return await asyncio.to_thread(self.files.snapshot)

    async def _wait_for_event(self) -> None:
        """Wait until something may have changed."""
        while self.method == "watchfiles":
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_EVENT_INTERVAL):
                    await self._event.wait()
            if self._event.is_set() or any(
                self._known.get(path) != state for path, state in self.files.settings_snapshot().items()
            ):
                self._event.clear()
                return
        await asyncio.sleep(self._interval)

    async def _notify(self, watch: Callable[..., AsyncIterator[Any]]) -> None:
        """Set the event when the system reports a change that may mean something."""
        loop = asyncio.get_running_loop()

        def concerns(change: object, name: str) -> bool:
            path = Path(name)
            if path.is_dir():
                loop.call_later(_NEW_DIRECTORY_TIME, self._event.set)
                return True
            return self.files.effect(path) is not None

        try:
            async for _ in watch(*self.files.roots, watch_filter=concerns, step=20, ignore_permission_denied=True):
                self._event.set()
        except OSError as error:  # such as the system's limit of watched directories
            _logger.warning("watchfiles cannot watch the files (%s): they are polled", error)
            self._event.set()


def _watchfiles() -> Callable[..., AsyncIterator[Any]] | None:
    try:
        from watchfiles import awatch
    except ImportError:
        return None
    return awatch
