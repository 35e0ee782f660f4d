import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from atlas import ClientDisconnected, ContentTooLarge
from atlas.web.requests.body import check_size, receive_body


def receiving(*events: dict[str, Any]) -> Callable[[], Any]:
    left = list(events)

    async def receive() -> dict[str, Any]:
        return left.pop(0)

    return receive


def piece(body: bytes, more: bool = True) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


async def read(limit: int, *events: dict[str, Any]) -> list[bytes]:
    return [each async for each in receive_body(receiving(*events), limit)]


def test_empty_chunks_are_skipped() -> None:
    assert asyncio.run(read(4, piece(b"ab"), piece(b""), piece(b"cd"), {"type": "http.request"})) == [b"ab", b"cd"]


def test_the_limit_counts_all_chunks() -> None:
    with pytest.raises(ContentTooLarge, match="3 bytes"):
        asyncio.run(read(3, piece(b"ab"), piece(b"cd", more=False)))


def test_a_client_that_disconnects() -> None:
    with pytest.raises(ClientDisconnected):
        asyncio.run(read(3, piece(b"ab"), {"type": "http.disconnect"}))


def test_the_size_may_be_the_limit() -> None:
    check_size(3, 3)
    with pytest.raises(ContentTooLarge):
        check_size(4, 3)
