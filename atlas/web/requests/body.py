"""The body of a request, received event by event and limited in size."""

from __future__ import annotations

from collections.abc import AsyncIterator

from atlas.errors import ClientDisconnected
from atlas.types import Receive
from atlas.web.exceptions import ContentTooLarge

__all__ = ["check_size", "receive_body"]


def check_size(size: int, limit: int) -> None:
    """Refuse a body that is over the limit.

    :param size: bytes that were announced, or received so far.
    :param limit: maximum size in bytes.
    :raises ContentTooLarge: if ``size`` is over ``limit``.
    """
    if size > limit:
        raise ContentTooLarge(f"a body may have {limit} bytes here")


async def receive_body(receive: Receive, limit: int) -> AsyncIterator[bytes]:
    """Receive a body in chunks, without empty chunks.

    :param receive: ASGI's ``receive``.
    :param limit: maximum size in bytes of all chunks together.
    :raises ContentTooLarge: with the first chunk over the limit.
    :raises ClientDisconnected: if the client disconnects before the end of the body.
    """
    size, more = 0, True
    while more:
        event = await receive()
        if event["type"] == "http.disconnect":
            raise ClientDisconnected("the client went away before the end of the request body")
        chunk, more = event.get("body", b""), event.get("more_body", False)
        size += len(chunk)
        check_size(size, limit)
        if chunk:
            yield chunk
