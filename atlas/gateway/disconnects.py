"""Detects a disconnect of the client by ``receive`` (ASGI 3, "Disconnect - receive event")."""

from __future__ import annotations

import asyncio

from atlas.errors import ClientDisconnected
from atlas.types import Receive

__all__ = ["is_disconnect", "is_disconnected", "wait_for_disconnect"]


async def wait_for_disconnect(receive: Receive) -> None:
    """Wait until the client disconnects. The rest of the request body is read and dropped.

    Returns if the server does not report the disconnect: ``receive`` raises, or returns the end of the body again.

    :param receive: ASGI's ``receive``.
    :raises ClientDisconnected: when the client has disconnected.
    """
    ended = False
    while True:
        try:
            event = await receive()
        except Exception:
            return
        if event["type"] == "http.disconnect":
            raise ClientDisconnected("the client disconnected")
        last = not event.get("more_body", False)
        if ended and last:
            return
        ended = ended or last


async def is_disconnected(receive: Receive) -> bool:
    """Return whether the client is known to have disconnected, without waiting.

    The body has to be read before. If there is none, ``receive`` returns an empty last chunk first.

    :param receive: ASGI's ``receive``.
    """
    try:
        async with asyncio.timeout(0):
            for _ in range(2):
                if (await receive())["type"] == "http.disconnect":
                    return True
    except TimeoutError:
        pass
    return False


def is_disconnect(error: BaseException | None, depth: int = 8) -> bool:
    """Return whether an exception is :class:`ClientDisconnected`, or has one as its cause or context.

    An exception group is if all of its exceptions are.

    :param error: the exception, or None.
    :param depth: maximum number of exceptions in the chain of causes, default 8.
    """
    if error is None or depth == 0:
        return False
    if isinstance(error, BaseExceptionGroup):
        return all(is_disconnect(each, depth - 1) for each in error.exceptions)
    return isinstance(error, ClientDisconnected) or is_disconnect(error.__cause__ or error.__context__, depth - 1)
