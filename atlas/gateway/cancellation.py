"""Coroutines that run to their end although their caller is cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

__all__ = ["run_to_end", "undone_when_cancelled"]

T = TypeVar("T")


async def run_to_end(coroutine: Coroutine[Any, Any, T]) -> T:
    """Await a coroutine. If the caller is cancelled meanwhile, it continues in a task of its own.

    :param coroutine: the coroutine.
    :returns: its result.
    :raises Exception: its exception.
    """
    return await asyncio.shield(coroutine)


async def undone_when_cancelled(coroutine: Coroutine[Any, Any, T], undo: Callable[[], Awaitable[Any]]) -> T:
    """Await a coroutine. If the caller is cancelled meanwhile, await its end, and undo what it has done.

    :param coroutine: the coroutine.
    :param undo: called if the result is true.
    :returns: its result.
    :raises Exception: its exception; what is raised after a cancellation is suppressed.
    """
    task = asyncio.ensure_future(coroutine)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        if task.cancelled():
            raise
        with suppress(Exception):
            if await task:
                await undo()
        raise
