"""A fork server as its parent has it: started with a task, ready or not, asked for workers, ended.

:mod:`atlas.server.workers.fork_server` is the program that runs in the process.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from functools import partial

from atlas.server.workers.fork_server import INDEX
from atlas.server.workers.worker import WorkerTask
from atlas.server.workers.worker_process import WorkerProcess

__all__ = ["ForkServer", "set_ended"]


class ForkServer:
    """A process that forks workers, see :mod:`atlas.server.workers.fork_server`.

    :param task: what the workers are to do.
    """

    def __init__(self, task: WorkerTask) -> None:
        loop = asyncio.get_running_loop()
        self._connection, child_end = socket.socketpair()
        self._connection.setblocking(False)
        with child_end:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, *subprocess._args_from_interpreter_flags()),  # type: ignore[attr-defined]
                    *("-m", "atlas.server.workers.fork_server", str(child_end.fileno())),
                ],
                pass_fds=(*task.descriptors, child_end.fileno()),
                process_group=0,  # Ctrl+C in a terminal is the supervisor's signal, which stops the workers
            )
        self.pid = self._process.pid
        self.ready: asyncio.Future[bool] = loop.create_future()
        """True when it forks workers, False if it ends before."""
        self.ended: asyncio.Future[int | None] = loop.create_future()
        """Its exit status."""
        self._workers: dict[int, WorkerProcess] = {}
        self._unclaimed: dict[int, int] = {}  # statuses of workers that ended before fork() has returned
        self._forked: asyncio.Future[int | None] | None = None
        self._forking = asyncio.Lock()
        self._is_closing = False
        self._reader = asyncio.ensure_future(self._read(task.encode()))

    @property
    def is_gone(self) -> bool:
        """Whether it forks no more workers."""
        return self._reader.done()

    async def fork(self, index: int) -> WorkerProcess | None:
        """Have a worker forked.

        :param index: its entry in the table.
        :returns: None if the fork server has ended.
        """
        control, worker_end = socket.socketpair()
        control.setblocking(False)
        async with self._forking:
            with worker_end, contextlib.suppress(OSError):
                if not self.is_gone:
                    self._forked = asyncio.get_running_loop().create_future()
                    socket.send_fds(self._connection, [INDEX.pack(index)], [worker_end.fileno()])
                    pid = await self._forked
                    if pid is not None:
                        return self._new_worker(pid, control, index)
        control.close()
        return None

    def _new_worker(self, pid: int, control: socket.socket, index: int) -> WorkerProcess:
        ended: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()
        worker = self._workers[pid] = WorkerProcess(pid, ended, control, index)
        if pid in self._unclaimed:
            self._set_ended(pid, self._unclaimed.pop(pid))
        return worker

    async def _read(self, task: bytes) -> None:
        loop = asyncio.get_running_loop()
        received = b""
        with contextlib.suppress(OSError):
            await loop.sock_sendall(self._connection, task)
            while piece := await loop.sock_recv(self._connection, 4096):
                *lines, received = (received + piece).split(b"\n")
                for line in lines:
                    self._receive(line)
        if not self.ready.done():
            self.ready.set_result(False)
        if self._forked is not None and not self._forked.done():
            self._forked.set_result(None)
        for worker in self._workers.values():  # the end of its connection is the only sign of the end of each
            worker.connection.add_done_callback(partial(_set_unknown, worker.ended))

    def _receive(self, line: bytes) -> None:
        word, *numbers = line.split()
        if word == b"ready":
            self.ready.set_result(True)
        elif word == b"forked":
            assert self._forked is not None
            self._forked.set_result(int(numbers[0]))
        else:
            self._set_ended(int(numbers[0]), int(numbers[1]))

    def _set_ended(self, pid: int, status: int) -> None:
        worker = self._workers.pop(pid, None)
        if worker is None:
            self._unclaimed[pid] = status
            return
        set_ended(worker.ended, status)
        self._close_if_unused()

    def close(self) -> None:
        """Have it end as soon as its last worker has ended."""
        self._is_closing = True
        self._close_if_unused()

    def _close_if_unused(self) -> None:
        if self._is_closing and not self._workers:
            with contextlib.suppress(OSError):
                self._connection.shutdown(socket.SHUT_WR)

    def signal(self, number: signal.Signals) -> None:
        if not self.ended.done():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def reaped(self, status: int) -> None:
        """The process has ended, and its exit status was taken."""
        self._process.returncode = status
        set_ended(self.ended, status)

    async def release(self) -> None:
        """Release what belongs to a fork server that has ended."""
        await self._reader
        self._connection.close()


def set_ended(ended: asyncio.Future[int | None], status: int | None) -> None:
    """Set the exit status of a process, unless it is known."""
    if not ended.done():
        ended.set_result(status)


def _set_unknown(ended: asyncio.Future[int | None], connection: asyncio.Future[None]) -> None:
    set_ended(ended, None)
