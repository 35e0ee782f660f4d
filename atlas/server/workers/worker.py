"""A worker process: serves the application on sockets that its parent has bound.

The parent (:mod:`atlas.server.workers.supervisor`) has one end of a socket pair, and the worker the other one. The
worker tells by it when it serves, and when it should be replaced. The end of the stream tells the worker that its
parent has ended. A worker is forked (:mod:`atlas.server.workers.fork_server`), or it is a program of its own, which
gets its task by the socket.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import faulthandler
import json
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from atlas.server.configuration.settings import Settings
from atlas.server.event_loop import loop_factory, run_main
from atlas.server.logs import configuration as logs
from atlas.server.logs.output import open_standard_streams
from atlas.server.metrics.shared_counters import open_counters
from atlas.server.run import load_application, serve_with_signals
from atlas.server.server import Server
from atlas.server.signals import leave_interrupt_to_parent
from atlas.server.workers.worker_table import WorkerEntry, WorkerTable

__all__ = ["FORCE", "READY", "REFRESH", "REPLACE", "WorkerTask", "serve_as_worker", "serve_task"]

READY, REPLACE = b"ready\n", b"replace\n"  # what a worker sends
FORCE = b"force\n"  # what it is sent: to end at once, after it was told to stop
REFRESH = b"refresh\n"  # open pages are to load again


@dataclass(frozen=True, slots=True)
class WorkerTask:
    """What a worker is to do.

    ``app``: ``module:attr``. ``sockets``: descriptors of the listening sockets. ``table``: descriptor of the file of
    the :class:`~atlas.server.workers.worker_table.WorkerTable`; None for the only process of a server with
    ``--reload``. ``size``: number of its entries. ``index``: the worker's entry. ``counters``: descriptor of the memory
    that it counts in; None without ``--metrics``.
    """

    app: str
    settings: Settings
    sockets: tuple[int, ...]
    table: int | None = None
    size: int = 0
    index: int = 0
    counters: int | None = None

    @property
    def descriptors(self) -> tuple[int, ...]:
        """The descriptors that the worker inherits."""
        return (*self.sockets, *(fd for fd in (self.table, self.counters) if fd is not None))

    def encode(self) -> bytes:
        """Return the task as one line."""
        return json.dumps(dataclasses.asdict(self)).encode() + b"\n"

    @classmethod
    def decode(cls, line: bytes) -> WorkerTask:
        values = json.loads(line)
        return cls(**values | {"settings": Settings(**values["settings"]), "sockets": tuple(values["sockets"])})


def serve_as_worker(fd: int) -> float:
    """Carry out the task that comes from the parent, and return when the server has stopped.

    :param fd: the worker's end of the socket pair.
    :returns: the seconds that the process may still take to end.
    :raises StartupError: if the application cannot be imported, or failed to start.
    """
    open_standard_streams()
    with socket.socket(fileno=fd) as parent:
        with parent.makefile("rb") as lines:
            task = WorkerTask.decode(lines.readline())
        if task.table is None:
            leave_interrupt_to_parent()
        logs.configure(task.settings)
        serve_task(task, load_application(task.app, task.settings), parent)
    return task.settings.timeout_graceful_shutdown


def serve_task(task: WorkerTask, app: Callable[..., Any], parent: socket.socket) -> None:
    """Serve until the server has stopped.

    :param task: what to do.
    :param app: the application.
    :param parent: the worker's end of the socket pair.
    :raises StartupError: if the application failed to start.
    """
    faulthandler.enable()  # the parent ends a worker whose event loop does not run by SIGABRT: print its stacks
    logs.enable_loggers()
    server = Server(app, task.settings)
    if task.table is not None:
        server.entry = WorkerEntry(WorkerTable(task.table, task.size), task.index)
        server.on_max_requests = partial(_send, parent, REPLACE)
        os.close(task.table)
    server.shutdown_delay = 0.0  # the supervisor waits before it stops its workers
    if task.counters is not None:
        server.counters = open_counters(task.counters, task.index)
        os.close(task.counters)
    run_main(_serve(server, task, parent), loop_factory(task.settings.loop))


async def _serve(server: Server, task: WorkerTask, parent: socket.socket) -> None:
    sockets = [socket.socket(fileno=descriptor) for descriptor in task.sockets]
    is_supervised = task.table is not None
    parent.setblocking(False)
    refresh = server.refresh_pages().refresh if not is_supervised and server.settings.dev else None
    watch = asyncio.ensure_future(_watch_parent(server, parent, refresh))
    try:
        # A service manager may send its signal to all processes, and the supervisor sends it again: that is one stop.
        is_forced = partial(_is_forced, parent) if is_supervised else None
        await serve_with_signals(server, sockets, interruptible=is_supervised, is_forced=is_forced)
    finally:
        watch.cancel()
        for sock in sockets:
            sock.close()


async def _watch_parent(server: Server, parent: socket.socket, refresh: Callable[[], None] | None) -> None:
    """Tell the parent when the server has started; stop the server when the parent has ended.

    :param refresh: called when the parent says that files of pages have changed.
    """
    ended = asyncio.ensure_future(_obey(server, parent, refresh))
    started = asyncio.ensure_future(server.wait_started())
    try:
        await asyncio.wait({ended, started}, return_when=asyncio.FIRST_COMPLETED)
        if started.done():
            _send(parent, READY)
        await ended
        server.stop()
    finally:
        ended.cancel()
        started.cancel()


async def _obey(server: Server, parent: socket.socket, refresh: Callable[[], None] | None) -> None:
    """Carry out what the parent sends, and return when it has ended."""
    received = b""
    with contextlib.suppress(OSError):
        while piece := await asyncio.get_running_loop().sock_recv(parent, 64):
            *lines, received = (received + piece).split(b"\n")
            for line in lines:
                if line == FORCE.rstrip():
                    server.stop()
                elif refresh is not None:
                    refresh()


def _is_forced(parent: socket.socket) -> bool:
    """Return whether the parent has sent FORCE, which :func:`_obey` has not read because the event loop is blocked."""
    try:
        return FORCE in parent.recv(64, socket.MSG_PEEK)
    except OSError:  # nothing was sent, or the parent has ended
        return False


def _send(parent: socket.socket, line: bytes) -> None:
    with contextlib.suppress(OSError):  # the parent has ended, which _watch_parent() notices
        parent.send(line)
