"""Runs a server's loop from beginning to end, and comes to that end whatever the application left behind."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from atlas.errors import StartupError

__all__ = ["factory", "run_to_end"]

_logger = logging.getLogger("atlas.server")
_LEFTOVERS = 1.0  # seconds that tasks which nobody waits for have to end, once they are cancelled

T = TypeVar("T")


def factory(name: str) -> Callable[[], asyncio.AbstractEventLoop]:
    """What makes the loop that ``--loop`` names: auto, uvloop or asyncio.

    :raises StartupError: if it is uvloop, and that is not installed.
    """
    if name == "asyncio":
        return asyncio.new_event_loop
    try:
        import uvloop
    except ImportError:
        if name == "uvloop":
            raise StartupError("--loop uvloop: uvloop is not installed (pip install uvloop)") from None
        return asyncio.new_event_loop
    return uvloop.new_event_loop


def run_to_end(main: Coroutine[Any, Any, T], make_loop: Callable[[], asyncio.AbstractEventLoop]) -> T:
    """Run ``main`` in a new loop and close the loop; as ``asyncio.run``, which would wait forever, though, for a task
    that takes no notice of being cancelled, and for a thread that never returns."""
    loop = make_loop()
    executor = ThreadPoolExecutor(thread_name_prefix="atlas")
    loop.set_default_executor(executor)
    asyncio.set_event_loop(loop)
    task = loop.create_task(main)
    try:
        return _run_through(loop, task)
    finally:
        try:
            loop.run_until_complete(_tidy(loop))
        finally:
            executor.shutdown(wait=False, cancel_futures=True)
            asyncio.set_event_loop(None)
            loop.close()


def _run_through(loop: asyncio.AbstractEventLoop, task: asyncio.Task[T]) -> T:
    """Run ``task`` to its end. A SystemExit in another task (a controller that reached ``sys.exit()``) stops the loop,
    and is no reason to stop the server: that task has failed, and says so itself."""
    while True:
        try:
            return loop.run_until_complete(task)
        except SystemExit:
            if task.done():
                raise


async def _tidy(loop: asyncio.AbstractEventLoop) -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    if tasks:
        _, stuck = await asyncio.wait(tasks, timeout=_LEFTOVERS)
        if stuck:
            _logger.warning("%d tasks of the application took no notice of being cancelled", len(stuck))
    try:
        await asyncio.wait_for(loop.shutdown_asyncgens(), _LEFTOVERS)
    except TimeoutError:
        _logger.warning("an asynchronous generator of the application does not end")
