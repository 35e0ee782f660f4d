"""Makes a thread of Atlas one in which ``anyio.from_thread.run()`` works, as in the worker threads of anyio."""

from __future__ import annotations

import asyncio
import sys
from contextlib import AbstractContextManager, nullcontext
from typing import Any

__all__ = ["anyio_thread"]

_NOTHING: AbstractContextManager[Any] = nullcontext()


def anyio_thread(loop: asyncio.AbstractEventLoop) -> AbstractContextManager[Any]:
    """Return a context in which anyio finds the event loop in this thread; it has no effect without anyio 4."""
    module: Any = sys.modules.get("anyio._core._eventloop")  # the application has imported it, or does not use it
    claim = getattr(module, "claim_worker_thread", None)
    return _NOTHING if claim is None else claim(module.get_async_backend("asyncio"), loop)
