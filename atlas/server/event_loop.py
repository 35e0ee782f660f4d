"""Creates the event loop of a server, runs it to its end and closes it."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from atlas.errors import StartupError
from atlas.gateway.forked_children import end_child
from atlas.server.process_end import log_running_threads

__all__ = ["loop_factory", "run_main"]

_logger = logging.getLogger("atlas.server")
_CANCEL_TIMEOUT = 1.0  # seconds that cancelled tasks and asynchronous generators have to end

T = TypeVar("T")


def loop_factory(name: str) -> Callable[[], asyncio.AbstractEventLoop]:
    """Return the function that makes an event loop of a kind.

    :param name: the value of ``--loop``: ``uvloop``, ``asyncio``, or ``auto`` (uvloop if it is installed).
    :raises StartupError: for ``uvloop`` if it is not installed.
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


def run_main(main: Coroutine[Any, Any, T], loop_factory: Callable[[], asyncio.AbstractEventLoop]) -> T:
    """Run ``main`` in a new event loop, cancel the tasks that are left, and close the loop.

    As :func:`asyncio.run`, with two differences: tasks that ignore their cancellation and threads that do not return
    do not keep it from returning.

    :returns: the result of ``main``.
    """
    process = os.getpid()
    loop = loop_factory()
    executor = _Executor(thread_name_prefix="atlas")
    loop.set_default_executor(executor)
    asyncio.set_event_loop(loop)
    task = loop.create_task(main)
    try:
        return _run_until_complete(loop, task)
    finally:
        if os.getpid() != process:
            end_child(sys.exception())
        try:
            loop.run_until_complete(_cancel_all_tasks(loop))
        finally:
            log_running_threads(loop)
            executor.shutdown(wait=False, cancel_futures=True)
            asyncio.set_event_loop(None)
            loop.close()


class _Executor(ThreadPoolExecutor):
    """The threads of ``asyncio.to_thread()``: a child process that is forked in one ends where it returns to it.

    It would do the work of its parent a second time, and then wait for more without an end.
    """

    def submit(self, function: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        return super().submit(_call_in_process, os.getpid(), function, args, kwargs)


def _call_in_process(process: int, function: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any]) -> T:
    try:
        return function(*args, **kwargs)
    finally:
        if os.getpid() != process:
            end_child(sys.exception())


def _run_until_complete(loop: asyncio.AbstractEventLoop, task: asyncio.Task[T]) -> T:
    """Run ``task`` to its end, also if another task raises SystemExit.

    asyncio stops the loop for a SystemExit, such as that of a controller that calls ``sys.exit()``. The request has
    failed then, and its task logs that; the server goes on.
    """
    process = os.getpid()
    while True:
        try:
            return loop.run_until_complete(task)
        except SystemExit:
            if task.done() or os.getpid() != process:
                raise


async def _cancel_all_tasks(loop: asyncio.AbstractEventLoop) -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    if tasks:
        _, pending = await asyncio.wait(tasks, timeout=_CANCEL_TIMEOUT)
        if pending:
            _logger.warning("%d tasks of the application ignored their cancellation", len(pending))
    try:
        await asyncio.wait_for(loop.shutdown_asyncgens(), _CANCEL_TIMEOUT)
    except TimeoutError:
        _logger.warning("an asynchronous generator of the application ignored its cancellation")
