"""Work that would hold the event loop, moved to a thread; and a turn for the others.

The web half knows nothing of asyncio (DESIGN, Floors). These are the two things it needs of it, beside ``await``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

__all__ = ["in_thread", "next_turn"]

P = ParamSpec("P")
T = TypeVar("T")


async def in_thread(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Call ``function`` in a thread of the loop's pool and wait for its result.

    The caller's context variables are visible in it. An exception of the function is raised here. A cancelled caller
    stops waiting; the function itself runs to its end.
    """
    return await asyncio.to_thread(function, *args, **kwargs)


async def next_turn() -> None:
    """Let everything else that is ready run once before going on."""
    await asyncio.sleep(0)
