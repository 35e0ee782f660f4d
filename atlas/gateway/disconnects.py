"""How a disconnect is learnt of where ``send`` does not tell: by ``receive`` (ASGI 3, "Disconnect")."""

from __future__ import annotations

import asyncio

from atlas.errors import ClientDisconnected
from atlas.types import Receive

__all__ = ["is_disconnect", "is_disconnected", "wait_for_disconnect"]


async def wait_for_disconnect(receive: Receive) -> None:
    """Wait until the client disconnects. What is left of the request body is read and dropped.

    Returns if the server has nothing more to tell: ``receive`` raises, or repeats itself.

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
            raise ClientDisconnected("the client went away")
        last = not event.get("more_body", False)
        if ended and last:
            return
        ended = ended or last


async def is_disconnected(receive: Receive) -> bool:
    """Whether the client has disconnected, as far as is known without waiting.

    The body has to be read before. Where there is none, ``receive`` gives an empty last piece first.

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
    """Whether an exception is :class:`ClientDisconnected`, or was raised by a framework because of one.

    :param error: the exception. :param depth: how many causes are followed.
    """
    if error is None or depth == 0:
        return False
    if isinstance(error, BaseExceptionGroup):
        return all(is_disconnect(each, depth - 1) for each in error.exceptions)
    return isinstance(error, ClientDisconnected) or is_disconnect(error.__cause__ or error.__context__, depth - 1)
