"""A worker process as its parent has it: started with a task, ready or not, told to stop, ended."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from enum import Enum
from typing import Any

from atlas.server.workers.worker import READY, REPLACE, WorkerTask

__all__ = ["WorkerProcess", "WorkerState"]


class WorkerState(Enum):
    """What a worker process does."""

    STARTING = "starting"
    READY = "ready"
    STOPPING = "stopping"


class WorkerProcess:
    """One worker process; see :meth:`start`.

    :param pid: the process.
    :param ended: done when it has ended.
    :param control: the parent's end of the socket pair. It is open as long as the worker is: its end tells the worker
        that the parent has ended.
    :param index: the worker's entry in the table.
    """

    def __init__(self, pid: int, ended: asyncio.Future[int | None], control: socket.socket, index: int = 0) -> None:
        self.pid = pid
        self.index = index
        self.state = WorkerState.STARTING
        self.since = time.monotonic()
        """When it was started, or when it became ready."""
        self.ready: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        """True when the worker serves, False if it ends before."""
        self.ended = ended
        """The exit status; negative for the number of a signal; None if it is not known."""
        self.stopping = asyncio.Event()
        """Set when the worker was told to stop."""
        self.is_replaced = False
        """Whether another worker is to take its place."""
        self.on_replace: Callable[[], None] | None = None
        """Called when the worker has begun ``--limit-max-requests``."""
        self._control = control
        self.connection = asyncio.ensure_future(self._read())
        """Done when the worker has closed its end of the connection."""

    @classmethod
    async def start(cls, task: WorkerTask, *, in_own_group: bool = True) -> WorkerProcess:
        """Start a worker and send it its task.

        :param task: what the worker does.
        :param in_own_group: whether it has a process group of its own, so that Ctrl+C in a terminal is a signal of the
            parent only. If not, the worker can read from the terminal, as a debugger does, and leaves Ctrl+C to the
            parent.
        """
        control, child_end = socket.socketpair()
        with child_end:
            command = (sys.executable, "-m", "atlas", "worker", str(child_end.fileno()))
            descriptors = (*task.descriptors, child_end.fileno())
            if in_own_group:
                process = await asyncio.create_subprocess_exec(*command, pass_fds=descriptors, process_group=0)
            else:
                signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # inherited: the worker ends that
                try:
                    process = await asyncio.create_subprocess_exec(*command, pass_fds=descriptors)
                finally:
                    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        control.setblocking(False)
        worker = cls(process.pid, asyncio.ensure_future(process.wait()), control, task.index)
        await worker.send(task.encode())
        return worker

    async def send(self, line: bytes) -> None:
        """Send a line to the worker. If it has ended, nothing happens."""
        with contextlib.suppress(OSError):
            await asyncio.get_running_loop().sock_sendall(self._control, line)

    async def _read(self) -> None:
        received = b""
        with contextlib.suppress(OSError):
            while piece := await asyncio.get_running_loop().sock_recv(self._control, 64):
                *lines, received = (received + piece).split(b"\n")
                for line in lines:
                    self._receive(line + b"\n")
        if not self.ready.done():
            self.ready.set_result(False)

    def _receive(self, line: bytes) -> None:
        if line == READY and not self.ready.done():
            if self.state is WorkerState.STARTING:
                self.state, self.since = WorkerState.READY, time.monotonic()
            self.ready.set_result(True)
        elif line == REPLACE and self.on_replace is not None:
            self.on_replace()

    async def stops_or_ends(self) -> None:
        """Wait until the worker is told to stop, or has ended."""
        stopping: asyncio.Future[Any] = asyncio.ensure_future(self.stopping.wait())
        ended: asyncio.Future[Any] = self.ended
        await asyncio.wait({stopping, ended}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process, unless it has ended."""
        # Not by send_signal(), which may reap the process in front of asyncio: its exit status would be lost.
        if not self.ended.done():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def stop(self) -> None:
        """Have the worker stop gracefully."""
        if self.state is not WorkerState.STOPPING:
            self.state = WorkerState.STOPPING
            self.stopping.set()
            self.signal(signal.SIGTERM)

    async def close(self) -> None:
        """Release what belongs to a worker that has ended."""
        self.connection.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.connection
        self._control.close()

    def describe_end(self) -> str:
        """Return how the process has ended: ``ended with status 1``, ``was killed by SIGKILL``."""
        status = self.ended.result()
        if status is None:
            return "has ended"
        return f"was killed by {_signal_name(-status)}" if status < 0 else f"ended with status {status}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # most real-time signals have no name
        return f"signal {number}"
