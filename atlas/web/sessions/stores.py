"""What a store of sessions can do. Each of these may be ``def`` or ``async def``."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Protocol

__all__ = ["Store"]


class Store(Protocol):
    """Keeps bytes under a name for some time. A name is whatever the caller says: a store trusts none of it."""

    def get(self, name: str) -> bytes | Awaitable[bytes | None] | None:
        """What was kept; None if there is nothing, or nothing any more."""

    def set(self, name: str, data: bytes, seconds: float) -> Awaitable[None] | None:
        """Keep ``data`` for so long, in the place of what was there."""

    def delete(self, name: str) -> Awaitable[None] | None:
        """Forget it; nothing happens if there is nothing."""

    def touch(self, name: str, seconds: float) -> Awaitable[None] | None:
        """Keep what is there for so long from now on; nothing happens if there is nothing."""
