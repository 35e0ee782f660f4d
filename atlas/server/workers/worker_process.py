"""A worker process as its parent has it: started with a task, ready or not, told to stop, ended."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from enum import Enum

from atlas.server.workers.worker import READY, WorkerTask

__all__ = ["WorkerProcess", "WorkerState"]


class WorkerState(Enum):
    """What a worker process does."""

    STARTING = "starting"
    READY = "ready"
    STOPPING = "stopping"


class WorkerProcess:
    """One worker process; see :meth:`start`.

    :param process: the process.
    :param control: the parent's end of the socket pair. It is open as long as the worker is: its end tells the worker
        that the parent has ended.
    :param task: what the worker does.
    """

    def __init__(self, process: asyncio.subprocess.Process, control: socket.socket, task: WorkerTask) -> None:
        self.pid = process.pid
        self.task = task
        self.state = WorkerState.STARTING
        self.since = time.monotonic()
        """When it was started, or when it became ready."""
        self._control = control
        self.ready = asyncio.ensure_future(self._wait_ready())
        """True when the worker serves, False if it ends before."""
        self.ended = asyncio.ensure_future(process.wait())
        """The exit status; negative for the number of a signal."""

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
        worker = cls(process, control, task)
        await worker.send(task.encode())
        return worker

    async def send(self, line: bytes) -> None:
        """Send a line to the worker. If it has ended, nothing happens."""
        with contextlib.suppress(OSError):
            await asyncio.get_running_loop().sock_sendall(self._control, line)

    async def _wait_ready(self) -> bool:
        received = b""
        with contextlib.suppress(OSError):
            while READY not in received:
                piece = await asyncio.get_running_loop().sock_recv(self._control, len(READY))
                if not piece:
                    return False
                received += piece
        if READY in received and self.state is WorkerState.STARTING:
            self.state, self.since = WorkerState.READY, time.monotonic()
        return READY in received

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
            self.signal(signal.SIGTERM)

    async def close(self) -> None:
        """Release what belongs to a worker that has ended."""
        self.ready.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.ready
        self._control.close()

    def describe_end(self) -> str:
        """Return how the process has ended: ``ended with status 1``, ``was killed by SIGKILL``."""
        status = self.ended.result()
        return f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
