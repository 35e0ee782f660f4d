"""Awaiting with a timeout, and awaiting a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

__all__ = ["TimeoutExpired", "sleep", "wait_for"]

T = TypeVar("T")


class TimeoutExpired(TimeoutError):
    """The timeout of :func:`wait_for` has passed."""


async def sleep(seconds: float) -> None:
    """Wait for a time.

    :param seconds: the time.
    """
    await asyncio.sleep(seconds)


async def wait_for(awaitable: Awaitable[T], timeout: float) -> T:  # noqa: ASYNC109 - see TimeoutExpired
    """Await ``awaitable`` in the current task, and cancel it when the timeout has passed.

    Unlike :func:`asyncio.wait_for`, the exception of the timeout can be told from a ``TimeoutError`` that the awaitable
    raises, which is not changed. Neither is a cancellation of the task.

    :param awaitable: what is awaited.
    :param timeout: in seconds.
    :returns: the result of the awaitable.
    :raises TimeoutExpired: if the awaitable takes longer.
    """
    limit = asyncio.timeout(timeout)
    try:
        async with limit:
            return await awaitable
    except TimeoutError:
        if limit.expired():
            raise TimeoutExpired(f"it took longer than {timeout:g} s") from None
        raise
