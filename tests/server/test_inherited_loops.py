"""The event loop of the parent in a forked child: none of its callbacks, timers and events are handled twice."""

import asyncio
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from atlas.server.event_loop import loop_factory
from atlas.server.forks import ForkGuard
from atlas.server.inherited_loops import leave_loop, release_poller

PATIENCE = 30.0
LOOPS = pytest.mark.parametrize("name", ["asyncio", "uvloop"])


@contextmanager
def new_loop(name: str) -> Iterator[asyncio.AbstractEventLoop]:
    loop = loop_factory(name)()
    guard = ForkGuard(lambda: leave_loop(loop, running=True))
    try:
        loop.call_later(PATIENCE, os._exit, 1)
        yield loop
    finally:
        guard.close()
        loop.close()


def fork_and_return() -> None:
    pid = os.fork()
    if pid:
        assert os.waitpid(pid, 0)[1] >> 8 == 1
    else:
        signal.alarm(int(PATIENCE))  # ends a child that does not end by itself


class Records:
    """What callbacks of both processes have written into a pipe."""

    def __init__(self) -> None:
        self._out, self._into = os.pipe()
        self.process = os.getpid()

    def add(self, name: str) -> None:
        os.write(self._into, f"{'' if os.getpid() == self.process else 'child: '}{name}\n".encode())

    def read(self) -> list[str]:
        os.close(self._into)
        with os.fdopen(self._out) as pipe:
            return sorted(pipe.read().split("\n")[:-1])


class Cleanup:
    """A coroutine whose ``finally`` block is recorded."""

    def __init__(self, records: Records) -> None:
        self.records = records

    async def run(self, started: asyncio.Future[None]) -> None:
        try:
            await started
        finally:
            self.records.add("cleanup")


def stop_after(loop: asyncio.AbstractEventLoop, turns: int) -> None:
    if turns:
        loop.call_soon(stop_after, loop, turns - 1)
    else:
        loop.stop()


@LOOPS
def test_callbacks_behind_the_fork_run_in_the_parent_only(name: str) -> None:
    records = Records()
    with new_loop(name) as loop:
        started = loop.create_future()
        started.set_result(None)
        task = loop.create_task(Cleanup(records).run(started))

        def fork() -> None:
            loop.call_soon(records.add, "queued within the callback")
            loop.call_later(0, records.add, "a timer that is due")
            fork_and_return()
            loop.call_soon(records.add, "queued afterwards")

        loop.call_soon(lambda: loop.call_soon(fork))
        loop.call_soon(loop.call_soon, records.add, "of the same turn")
        loop.call_later(0.0, records.add, "a timer")
        loop.call_soon(stop_after, loop, 3)
        loop.run_forever()
        loop.run_until_complete(asyncio.sleep(0.002))
        assert task.done()
    assert records.read() == sorted(
        [
            "a timer",
            "a timer that is due",
            "cleanup",
            "of the same turn",
            "queued afterwards",
            "queued within the callback",
        ]
    )


@LOOPS
def test_a_coroutine_that_waits_is_not_closed_in_the_child(name: str) -> None:
    records = Records()
    with new_loop(name) as loop:
        started = loop.create_future()
        task = loop.create_task(Cleanup(records).run(started))
        loop.run_until_complete(asyncio.sleep(0))

        def fork() -> None:
            started.set_result(None)  # its step is ready to run
            del refs[:]
            fork_and_return()

        refs = [task]
        del task
        loop.call_soon(fork)
        loop.run_until_complete(asyncio.sleep(0.001))
    assert records.read() == ["cleanup"]


class Reader(asyncio.Protocol):
    def __init__(self, received: Callable[[bytes], None]) -> None:
        self.received = received

    def data_received(self, data: bytes) -> None:
        self.received(data)


@LOOPS
def test_events_of_the_same_turn_are_handled_by_the_parent_only(name: str) -> None:
    """Two sockets are readable at once, in either way that a loop knows: the child takes nothing out of them."""
    records, received = Records(), []
    pairs = [socket.socketpair() for _ in range(4)]
    for ours, theirs in pairs:
        ours.setblocking(False)
        theirs.send(b"x")

    with new_loop(name) as loop:
        forked = []

        def handle(number: int, data: bytes) -> None:
            records.add(f"{number} {data.decode()}")
            received.append(number)
            if not forked:
                forked.append(True)
                fork_and_return()
            if len(received) == len(pairs):
                loop.stop()

        async def add() -> None:
            for number, (ours, _) in enumerate(pairs):
                if number % 2:
                    loop.add_reader(ours, lambda number=number, ours=ours: handle(number, ours.recv(10)))
                else:
                    await loop.create_connection(
                        lambda number=number: Reader(lambda data: handle(number, data)), sock=ours.dup()
                    )

        loop.run_until_complete(add())
        if len(received) < len(pairs):
            loop.run_forever()
        for ours, theirs in pairs:
            loop.remove_reader(ours)
            ours.close()
            theirs.close()
    assert records.read() == ["0 x", "1 x", "2 x", "3 x"]


@LOOPS
def test_what_was_written_is_sent_by_the_parent_only(name: str) -> None:
    """uvloop sends at the end of a turn."""
    ours, theirs = socket.socketpair()
    with new_loop(name) as loop:

        async def write() -> None:
            transport, _ = await loop.create_connection(asyncio.Protocol, sock=ours)
            transport.write(b"once")
            fork_and_return()
            await asyncio.sleep(0)
            transport.close()

        loop.run_until_complete(write())
        theirs.settimeout(PATIENCE)
        assert theirs.makefile("rb").read() == b"once"
        theirs.close()


@LOOPS
def test_nothing_can_be_called_in_the_loop_of_the_parent(name: str) -> None:
    with new_loop(name) as loop:
        if (pid := os.fork()) == 0:
            try:
                loop.call_soon_threadsafe(print)
            except RuntimeError as error:
                os._exit(7 if "belongs to its parent" in str(error) else 1)
            os._exit(0)
        assert os.waitpid(pid, 0)[1] >> 8 == 7


@pytest.mark.parametrize("name", ["asyncio", "uvloop"])
def test_a_loop_that_ends_in_a_child_leaves_the_descriptors_of_the_parent(name: str) -> None:
    loop = loop_factory(name)()
    readable, other = socket.socketpair()
    readable.setblocking(False)
    loop.add_reader(readable, loop.stop)
    loop.call_soon(loop.stop)
    loop.run_forever()  # now the loop waits for the socket

    def end() -> None:
        release_poller(loop)
        loop.remove_reader(readable)

    if (pid := os.fork()) == 0:
        end()
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    other.send(b"x")
    loop.call_later(PATIENCE, os._exit, 1)
    loop.run_forever()
    for sock in (readable, other):
        sock.close()
    loop.close()
