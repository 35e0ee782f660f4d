"""What ``receive`` and ``send`` of a WebSocket are for asyncio; ``tests/wire/test_websocket_*.py`` has the events."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from .opened import Opened
from .test_frames import frame


def test_receive_in_a_task_with_a_timeout(loop: asyncio.AbstractEventLoop) -> None:
    opened = Opened(loop)

    async def use() -> Any:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.001):
                await opened.receive()
        loop.call_soon(opened.connection.feed, frame(0x81, b"after"))
        return await asyncio.create_task(opened.receive())

    assert loop.run_until_complete(use()) == {"type": "websocket.receive", "text": "after"}


def test_a_receive_that_was_awaited_cannot_be_awaited_again(loop: asyncio.AbstractEventLoop) -> None:
    opened = Opened(loop)
    opened.feed(frame(0x81, b"a") * 2)

    async def use() -> None:
        waiting = opened.receive()
        await waiting
        with pytest.raises(RuntimeError, match="awaited already"):
            await waiting

    loop.run_until_complete(use())


@pytest.mark.parametrize("event", [None, "text", 1, [], {}, {"kind": "x"}])
def test_what_is_no_event(loop: asyncio.AbstractEventLoop, event: Any) -> None:
    opened = Opened(loop)
    with pytest.raises(RuntimeError, match="expected an ASGI event"):
        opened.send(event)


def test_the_scope_behind_tls(loop: asyncio.AbstractEventLoop) -> None:
    opened = Opened(loop)
    assert opened.scope["scheme"] == "ws"
    assert "method" not in opened.scope
    assert opened.scope["headers"][0] == (b"host", b"a")
