"""Waiting for something, but not for ever: the web half's only clock that can interrupt."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

__all__ = ["DeadlinePassed", "within"]

T = TypeVar("T")


class DeadlinePassed(TimeoutError):
    """What was waited for took too long, and was cancelled."""


async def within(seconds: float, awaitable: Awaitable[T]) -> T:
    """The result of ``awaitable``, which is waited for in this task and cancelled when the time is over.

    A ``TimeoutError`` of its own goes through as it is, and so does a cancellation from outside.

    :raises DeadlinePassed: after so many seconds.
    """
    deadline = asyncio.timeout(seconds)
    try:
        async with deadline:
            return await awaitable
    except TimeoutError:
        if deadline.expired():
            raise DeadlinePassed(f"it took longer than {seconds:g} s") from None
        raise
