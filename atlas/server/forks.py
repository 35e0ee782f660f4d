"""Forked child processes, such as the workers of :mod:`multiprocessing`: what they inherit acts on the server no more.

A child inherits the listening sockets, every connection, the event loop and its signal handling. Without the guards of
this module a signal for the child is written to the pipe that the loop of the parent reads, so that a pool that ends
its workers stops the server; a connection stays open for its client as long as the child lives; and code that waits in
the child runs the event loop of the parent a second time.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import stat
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from weakref import WeakSet

from atlas.gateway.greenlets import forget_waiting

__all__ = ["Address", "ForkGuard", "address_of", "release_sockets", "reset_wakeup", "runs_in_child"]

# The hooks of a fork belong to the process and cannot be removed, so the guards they call are its one list.
_guards: WeakSet[ForkGuard] = WeakSet()
_FALLBACK_DESCRIPTORS = range(3, 65536)  # where /dev/fd is missing
_WILDCARDS = ("0.0.0.0", "::")

Address = tuple[int, object]


class ForkGuard:
    """Calls a function in each forked child, until it is closed.

    :param in_child: called in the child, in the thread that forked, with all signals blocked.
    """

    def __init__(self, in_child: Callable[[], None]) -> None:
        self.in_child = in_child
        _guards.add(self)

    def close(self) -> None:
        """Do nothing in further children."""
        _guards.discard(self)


# ----------------------------------------------------------------------------------------------------------- hooks


class _Fork(threading.local):
    """A fork of this thread: its signal mask before, and the event loop that it runs. None outside of one."""

    mask: Collection[int] | None = None
    loop: asyncio.AbstractEventLoop | None = None


_fork = _Fork()


def _before() -> None:
    """Block signals: one for the child must not come before the child has its own handlers."""
    if _guards:
        _fork.loop = asyncio._get_running_loop()
        _fork.mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())


def _after() -> None:
    mask, _fork.mask, _fork.loop = _fork.mask, None, None
    if mask is not None:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _in_child() -> None:
    guards = list(_guards)
    _guards.clear()
    try:
        if guards:
            reset_wakeup()
            forget_waiting()
        for guard in guards:
            guard.in_child()
    finally:
        _after()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_after, after_in_child=_in_child)


def runs_in_child(loop: asyncio.AbstractEventLoop) -> bool:
    """Return whether an event loop runs in the thread that forked, so that the child may return to it.

    :param loop: the event loop; asked in a guard.
    """
    return _fork.loop is loop


def reset_wakeup() -> None:
    """Write no signals to the pipe of an event loop any more: the parent reads the other end of it."""
    with suppress(ValueError):  # not in the main thread, which is the only one that receives signals
        signal.set_wakeup_fd(-1)


# --------------------------------------------------------------------------------------------------------- sockets


def address_of(sock: socket.socket) -> Address:
    """Return what the connections of a listening socket have in common with it: its family, and its path or address."""
    return sock.family, sock.getsockname()


def release_sockets(addresses: Collection[Address]) -> None:
    """Close the sockets that have one of the local addresses: those that listen, and their connections.

    Their descriptors then refer to the null device: an object in the child that has the number may close it later, and
    must not close a file that got the number since.
    """
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    for descriptor in _open_descriptors():
        if descriptor != null and _has_address(descriptor, addresses):
            os.dup2(null, descriptor, inheritable=False)
    os.close(null)


def _open_descriptors() -> Iterator[int]:
    try:
        yield from map(int, os.listdir("/dev/fd"))  # noqa: PTH208 - a fork should be quick
    except OSError:
        yield from _FALLBACK_DESCRIPTORS


def _has_address(descriptor: int, addresses: Collection[Address]) -> bool:
    with suppress(OSError), _borrowed(descriptor) as sock:
        if sock.type != socket.SOCK_STREAM:
            return False
        name = sock.getsockname()
        return any(family == sock.family and _matches(name, address) for family, address in addresses)
    return False


@contextmanager
def _borrowed(descriptor: int) -> Iterator[socket.socket]:
    """The socket of a descriptor, which stays open. Raise OSError for anything else."""
    if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
        raise OSError
    sock = socket.socket(fileno=descriptor)
    try:
        yield sock
    finally:
        sock.detach()


def _matches(name: object, address: object) -> bool:
    if not isinstance(name, tuple) or not isinstance(address, tuple):
        return name == address and bool(name)  # paths of Unix sockets
    return name[1] == address[1] and (name[0] == address[0] or address[0] in _WILDCARDS)
