"""The event loop of the parent in a forked child: it runs nothing more there, and ends a child that returns to it.

The child has the callbacks of the parent that wait, and with uvloop its timers, events and unsent data as well. None of
them may run a second time, in neither process has the other one's outcome. A child of :mod:`multiprocessing` never
returns to the loop; one that ``os.fork()`` makes does if a controller lets it.
"""

from __future__ import annotations

import asyncio
import gc
import os
import select
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, NoReturn
from weakref import WeakValueDictionary

from atlas.gateway.forked_children import end_child

__all__ = ["leave_loop", "release_poller"]


def leave_loop(loop: asyncio.AbstractEventLoop, *, running: bool) -> None:
    """In a forked child, leave an event loop to the parent.

    :param loop: the event loop.
    :param running: whether it runs in the thread that forked, so that the child may return to it.
    """
    release_poller(loop)
    # Nothing runs what other threads ask for: without this they would wait for it forever.
    loop.call_soon_threadsafe = _refuse_call  # type: ignore[assignment, method-assign]
    if running:
        loop.inherited = _run_only(loop, end_child)  # type: ignore[attr-defined]


def _refuse_call(*_args: Any, **_kwargs: Any) -> NoReturn:
    raise RuntimeError(
        "this process was forked by a server, and the event loop belongs to its parent: nothing can be called in it "
        "from here"
    )


# What follows knows inner attributes of asyncio and uvloop, as there are no public ones. Those of uvloop have no names
# in Python: they are told apart by what they contain.


def release_poller(loop: asyncio.AbstractEventLoop) -> None:
    """Give the event loop of a child an epoll instance of its own (epoll(7)).

    It is inherited as one with that of the parent: what the child removes, the parent would not hear of any more. A
    loop removes descriptors when it ends: uvloop that of the signals, asyncio that of other threads. A kqueue(2) is not
    inherited.
    """
    descriptor = _poller_of(loop)
    if descriptor is not None and hasattr(select, "epoll"):
        with select.epoll() as own:
            os.dup2(own.fileno(), descriptor, inheritable=False)


def _poller_of(loop: asyncio.AbstractEventLoop) -> int | None:
    if hasattr(loop, "_get_backend_id"):
        return int(loop._get_backend_id())
    fileno: Callable[[], int] | None = getattr(getattr(loop, "_selector", None), "fileno", None)
    return fileno() if fileno is not None else None


def _run_only(loop: asyncio.AbstractEventLoop, function: Callable[[], None]) -> list[Any]:
    """Let a loop run ``function`` next, none of the callbacks that wait, and handle no event that it has already got.

    :returns: what has to be kept alive: a coroutine that is freed would run its ``finally`` blocks.
    """
    end = loop.call_soon(function)
    kept: list[Any] = []
    for container in _containers_of(loop):
        if isinstance(container, deque):  # what is ready to run: the loop takes as many as it has counted
            kept.extend(container)
            container.extend([end] * len(container))
            for _ in range(len(container) // 2):
                container.popleft()
        elif isinstance(container, WeakValueDictionary):
            for transport in list(container.values()):
                with suppress(Exception):  # one that is closed, or only sends
                    transport.pause_reading()
        elif isinstance(container, dict):
            for descriptor in [key for key in container if isinstance(key, int)]:
                kept.extend(gc.get_referents(*gc.get_referents(container[descriptor])))
                with suppress(Exception):  # not one of add_reader()
                    loop.remove_reader(descriptor)
                    loop.remove_writer(descriptor)
        else:
            for each in list(container):
                if hasattr(each, "cancel"):  # a timer
                    kept.extend(gc.get_referents(each))
                    each.cancel()
                elif hasattr(each, "pause_reading"):  # a transport with data that it would send now
                    container.remove(each)
    return kept


def _containers_of(loop: asyncio.AbstractEventLoop) -> Iterator[Any]:
    if isinstance(loop, asyncio.BaseEventLoop):
        yield getattr(loop, "_ready", deque())  # events are callbacks before they are handled, timers come later
        return
    for each in gc.get_referents(loop):
        if isinstance(each, deque | set | dict | WeakValueDictionary) and each is not vars(loop):
            yield each
