"""The interface of session stores. Each method may be ``def`` or ``async def``."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Protocol

__all__ = ["Store"]


class Store(Protocol):
    """Keeps bytes under a name for a time. A name may contain any characters; a store must not use it as a path."""

    def get(self, name: str) -> bytes | Awaitable[bytes | None] | None:
        """Return the data of a session.

        :param name: the name.
        :returns: the data; None for an unknown or expired session.
        """

    def set(self, name: str, data: bytes, seconds: float) -> Awaitable[None] | None:
        """Save a session, and replace one of the same name.

        :param name: the name.
        :param data: the data.
        :param seconds: time until the session expires.
        """

    def delete(self, name: str) -> Awaitable[None] | None:
        """Delete a session; an unknown name is ignored.

        :param name: the name.
        """

    def touch(self, name: str, seconds: float) -> Awaitable[None] | None:
        """Extend the time of a session; an unknown name is ignored.

        :param name: the name.
        :param seconds: time from now until the session expires.
        """
