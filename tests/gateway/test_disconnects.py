import asyncio
from typing import Any

import pytest

from atlas.errors import ClientDisconnected
from atlas.gateway.disconnects import is_disconnected, wait_for_disconnect
from atlas.types import Receive

GONE = {"type": "http.disconnect"}
PIECE = {"type": "http.request", "body": b"a", "more_body": True}
LAST = {"type": "http.request", "body": b"b", "more_body": False}


def telling(*events: Any) -> Receive:
    waiting = list(events)

    async def receive() -> Any:
        return waiting.pop(0)

    return receive


@pytest.mark.parametrize("events", [[GONE], [LAST, GONE], [PIECE, PIECE, LAST, GONE], [PIECE, GONE]])
def test_the_client_disconnects(events: list[Any]) -> None:
    with pytest.raises(ClientDisconnected):
        asyncio.run(wait_for_disconnect(telling(*events)))


@pytest.mark.parametrize("events", [[], [LAST], [LAST, LAST, GONE]])
def test_a_server_that_does_not_report_a_disconnect(events: list[Any]) -> None:
    asyncio.run(wait_for_disconnect(telling(*events)))


def test_asking_without_waiting() -> None:
    async def never() -> Any:
        await asyncio.Event().wait()

    assert asyncio.run(is_disconnected(telling(GONE)))
    assert asyncio.run(is_disconnected(telling(LAST, GONE)))
    assert not asyncio.run(is_disconnected(telling(LAST, LAST)))
    assert not asyncio.run(is_disconnected(never))
