"""Starts coroutines as a gateway does: in a callback of the event loop, with a TaskStarter."""

import asyncio
import contextvars
from collections.abc import Callable, Coroutine
from typing import Any

from atlas._speedups.calls.tasks import TaskStarter

VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="outside")


def run_in_callback(loop: asyncio.AbstractEventLoop, function: Callable[[], Any]) -> Any:
    """Call ``function`` in a callback of the loop, outside any task, and return its result."""
    done = loop.create_future()

    def call() -> None:
        try:
            done.set_result(function())
        except BaseException as error:
            done.set_exception(error)

    loop.call_soon(call)
    return loop.run_until_complete(done)


def start(
    loop: asyncio.AbstractEventLoop,
    starter: TaskStarter,
    coroutine: Coroutine[Any, Any, Any],
    context: contextvars.Context | None = None,
) -> tuple[Any, Any, Any]:
    """Start a coroutine in a callback; return its task, value and error."""

    def call() -> tuple[Any, Any, Any]:
        task = starter.start(coroutine, context or contextvars.copy_context())
        return task, starter.take_value(), starter.take_error()

    outcome: tuple[Any, Any, Any] = run_in_callback(loop, call)
    return outcome


def turn(loop: asyncio.AbstractEventLoop, times: int = 1) -> None:
    """Run the callbacks that are ready."""
    for _ in range(times):
        loop.run_until_complete(asyncio.sleep(0))


async def give(value: object) -> Any:
    return value


async def fail(error: BaseException) -> None:
    raise error
