"""The task of a WebSocket: how it begins, and what its end does to the WebSocket."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests._speedups.asgi_server import ASGIServer
from tests._speedups.websocket.opened import HANDSHAKE, Opened
from tests._speedups.websocket.test_frames import frame


def test_the_first_step_runs_at_once(loop: asyncio.AbstractEventLoop) -> None:
    async def app(receive: Any, send: Any) -> None:
        await send({"type": "websocket.send", "text": await_text((await receive())["text"])})

    def await_text(text: str) -> str:
        return text.upper()

    opened = Opened(loop, app, more=frame(0x81, b"early"))
    assert opened.after_head.startswith(b"\x81\x05EARLY\x88\x02\x03\xe8")
    assert opened.asgi.caller.tasks == set()


def test_a_task_is_known_while_it_runs(loop: asyncio.AbstractEventLoop) -> None:
    async def app(receive: Any, send: Any) -> None:
        await receive()

    opened = Opened(loop, app)
    assert len(opened.asgi.caller.tasks) == 1
    assert opened.server.state.in_work == 1
    opened.feed(frame(0x88))
    opened.server.turn(2)
    assert opened.asgi.caller.tasks == set()
    assert opened.server.state.in_work == 0


@pytest.mark.parametrize("waits", [False, True])
def test_an_exception_closes_with_1011(loop: asyncio.AbstractEventLoop, waits: bool) -> None:
    async def app(receive: Any, send: Any) -> None:
        if waits:
            await asyncio.sleep(0)
        raise ValueError("on purpose")

    opened = Opened(loop, app)
    opened.server.turn(3)
    assert (opened.after_head + opened.sent()).startswith(b"\x88\x10\x03\xf3internal error")
    assert [str(error) for error in opened.asgi.caller.failures] == ["on purpose"]


def test_a_cancelled_task_closes_with_1011(loop: asyncio.AbstractEventLoop) -> None:
    opened = Opened(loop)
    opened.asgi.caller.cancel()
    opened.server.turn(3)
    assert opened.sent().startswith(b"\x88\x10\x03\xf3internal error")
    assert opened.asgi.caller.failures == []
    assert isinstance(opened.ended[0], asyncio.CancelledError)


def test_an_application_that_takes_other_arguments(loop: asyncio.AbstractEventLoop) -> None:
    async def app(scope: Any) -> None: ...

    server = ASGIServer(loop, app)
    server.server.run(server.connection.feed, HANDSHAKE + b"\r\n")
    assert server.connection.sent.startswith(b"HTTP/1.1 500 ")
    assert [type(error) for error in server.caller.failures] == [TypeError]


def test_an_application_that_is_no_coroutine_function(loop: asyncio.AbstractEventLoop) -> None:
    class Awaitable:
        def __await__(self) -> Any:
            yield from asyncio.sleep(0).__await__()

    def app(scope: Any, receive: Any, send: Any) -> Any:
        return Awaitable()

    server = ASGIServer(loop, app)
    server.server.run(server.connection.feed, HANDSHAKE + b"\r\n")
    server.server.turn(3)
    assert server.connection.sent.startswith(b"HTTP/1.1 500 ")
    assert len(server.caller.unfinished_exchanges) == 1
