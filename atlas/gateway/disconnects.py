"""How the end of a client is learnt where ``send`` does not tell of it: by ``receive`` (ASGI 3, "Disconnect")."""

from __future__ import annotations

import asyncio

from atlas.errors import ClientDisconnected
from atlas.types import Receive

__all__ = ["is_disconnect", "is_gone", "until_gone"]


async def until_gone(receive: Receive) -> None:
    """Wait for the client to leave. What is left of the request body is read on the way, and dropped.

    Returns if the server has nothing more to tell: it raises, or repeats itself.

    :raises ClientDisconnected: when the client has left.
    """
    ended = False
    while True:
        try:
            event = await receive()
        except Exception:
            return
        if event["type"] == "http.disconnect":
            raise ClientDisconnected("the client went away")
        last = not event.get("more_body", False)
        if ended and last:
            return
        ended = ended or last


async def is_gone(receive: Receive) -> bool:
    """Whether the client has left, as far as can be known without waiting. The body has to be read by then.

    One that nobody has read because there is none is told of first, by an empty last piece.
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
    """Is it our :class:`ClientDisconnected`, or what a framework made of it (Starlette raises one of its own)?"""
    if error is None or depth == 0:
        return False
    if isinstance(error, BaseExceptionGroup):
        return all(is_disconnect(each, depth - 1) for each in error.exceptions)
    return isinstance(error, ClientDisconnected) or is_disconnect(error.__cause__ or error.__context__, depth - 1)
