"""The fork server: a process that has imported the server, and forks the workers.

A worker that is forked shares the memory of what is imported already, and starts in a few milliseconds. The fork
server runs no event loop and no threads. It has not imported the application either, unless ``--preload`` says so: each
worker does. A restart (SIGHUP) starts a new fork server, so that workers get the code that is installed then.

It is a program of its own: ``python -m atlas.server.workers.fork_server DESCRIPTOR``, where the descriptor is its end
of a socket pair. The supervisor sends the task as one line. Then each byte it sends comes with a descriptor, which is a
worker's end of another socket pair, and with the index of the worker's entry in the table. The fork server sends lines:
``ready``, ``forked PID``, ``ended PID STATUS``. It ends when the supervisor has closed the connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import gc
import logging
import os
import select
import signal
import socket
import struct
import sys
import threading
from collections.abc import Callable
from typing import Any

from atlas.errors import LifespanError, StartupError
from atlas.server.event_loop import loop_factory
from atlas.server.importer import ApplicationFailed
from atlas.server.logs import configuration as logs
from atlas.server.logs import open_logs
from atlas.server.logs.output import open_standard_streams
from atlas.server.process_end import end_process_after
from atlas.server.run import load_application
from atlas.server.workers.worker import WorkerTask, serve_task

__all__ = ["INDEX", "LIFESPAN_FAILED", "main"]

_logger = logging.getLogger("atlas.server")

INDEX = struct.Struct("=H")  # what comes with the descriptor for a new worker
_FAILED, LIFESPAN_FAILED = 1, 3  # exit statuses, as those of atlas.cli.main
# The signals of the supervisor may be sent to all its processes, as systemd does: workers have their own handlers.
_LEFT_TO_SUPERVISOR = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def main() -> int:
    """Run the fork server, and in each process that it forks, a worker.

    :returns: the exit status.
    """
    open_standard_streams()
    connection = socket.socket(fileno=int(sys.argv[1]))
    with connection.makefile("rb", buffering=0) as lines:
        task = WorkerTask.decode(lines.readline())
    logs.configure(task.settings)
    loop_factory(task.settings.loop)  # imports uvloop
    app = None
    if task.settings.preload:
        try:
            app = load_application(task.app, task.settings)
        except StartupError as error:
            return _log_failure(error)
        logs.enable_loggers()
        _log_threads()
    gc.collect()
    gc.freeze()  # what is shared is not written to by the collector of a worker
    forked = _ForkServer(connection).run()
    if forked is None:
        return 0
    parent, index = forked
    status = _work(dataclasses.replace(task, index=index), app, parent)
    end_process_after(task.settings.timeout_graceful_shutdown, status)
    return status


def _work(task: WorkerTask, app: Callable[..., Any] | None, parent: socket.socket) -> int:
    with parent:
        try:
            serve_task(task, app or load_application(task.app, task.settings), parent)
        except StartupError as error:
            return _log_failure(error)
    return 0


def _log_failure(error: StartupError) -> int:
    """Log why the application cannot be served; return the exit status."""
    trace = f"\n{error.trace.rstrip()}" if isinstance(error, ApplicationFailed) and error.trace else ""
    _logger.error("the application cannot be served: %s%s", error, trace)
    return LIFESPAN_FAILED if isinstance(error, LifespanError) else _FAILED


def _log_threads() -> None:
    """A thread of the application that was started by its import does not exist in the workers."""
    names = [repr(thread.name) for thread in threading.enumerate() if thread is not threading.main_thread()]
    if names:
        message = (
            "--preload: the import of the application has started the thread %s, which does not run in workers: %s"
        )
        _logger.warning(message, ", ".join(names), "start it in the lifespan")


class _ForkServer:
    """Forks a process whenever the supervisor asks for one, and reports how it ends.

    :param supervisor: the connection to the supervisor.
    """

    def __init__(self, supervisor: socket.socket) -> None:
        self._supervisor = supervisor
        self._wakeup, self._wakeup_end = os.pipe()
        self._previous: dict[signal.Signals, Any] = {}
        self._workers: set[int] = set()

    def run(self) -> tuple[socket.socket, int] | None:
        """Serve the supervisor until it ends.

        :returns: None; and in each forked process, its connection to the supervisor and the index of its entry.
        """
        os.set_blocking(self._wakeup, False)
        os.set_blocking(self._wakeup_end, False)
        signal.set_wakeup_fd(self._wakeup_end, warn_on_full_buffer=False)
        for number in (*_LEFT_TO_SUPERVISOR, signal.SIGCHLD):
            self._previous[number] = signal.signal(number, _ignore)
        signal.signal(signal.SIGUSR1, lambda *_: open_logs.reopen())  # also in workers, until the server handles it
        self._send("ready")
        while True:
            readable, _, _ = select.select([self._supervisor.fileno(), self._wakeup], [], [])
            if self._wakeup in readable:
                with contextlib.suppress(BlockingIOError):
                    os.read(self._wakeup, 4096)
                self._report_ended()
            if self._supervisor.fileno() in readable:
                order, descriptors, _, _ = socket.recv_fds(self._supervisor, INDEX.size, 1)
                if not descriptors:
                    return None
                if self._fork():
                    os.close(descriptors[0])
                else:
                    return socket.socket(fileno=descriptors[0]), INDEX.unpack(order)[0]

    def _fork(self) -> int:
        """Fork, with all signals blocked until the child has its own dispositions: none for the child is lost."""
        for stream in (sys.stdout, sys.stderr):  # what the import of the application has printed is written once
            stream.flush()
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            pid = os.fork()
            if pid == 0:
                self._leave()
            else:
                self._workers.add(pid)
                self._send(f"forked {pid}")
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        return pid

    def _leave(self) -> None:
        """In a child: nothing of the fork server is used any more."""
        signal.set_wakeup_fd(-1)
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.setpgid(0, 0)
        self._supervisor.close()
        os.close(self._wakeup)
        os.close(self._wakeup_end)
        asyncio.set_event_loop(None)

    def _report_ended(self) -> None:
        for worker in tuple(self._workers):  # not any child: the application may have started some by its import
            pid, status = os.waitpid(worker, os.WNOHANG)
            if pid:
                self._workers.remove(pid)
                self._send(f"ended {pid} {os.waitstatus_to_exitcode(status)}")

    def _send(self, line: str) -> None:
        with contextlib.suppress(OSError):  # the supervisor has ended, which is noticed by run()
            self._supervisor.sendall(line.encode() + b"\n")


def _ignore(number: int, frame: object) -> None:
    """A handler of a signal for which the wake-up pipe is enough; unlike SIG_IGN it is not inherited by exec."""


if __name__ == "__main__":
    sys.exit(main())
