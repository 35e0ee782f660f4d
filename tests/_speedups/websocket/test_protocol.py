"""How the connection of a WebSocket ends."""

from __future__ import annotations

import asyncio
import gc

import pytest

from atlas._speedups.websocket.session import WebSocketSession
from tests._speedups.fake_connection import run_now

from .opened import Opened
from .test_frames import frame

CLOSE = frame(0x88, b"\x03\xe8")


def code(opened: Opened) -> int:
    return int(run_now(opened.receive())["code"])


def test_the_client_closes(loop: asyncio.AbstractEventLoop) -> None:
    opened = Opened(loop)
    opened.feed(CLOSE)
    assert opened.sent() == b"\x88\x02\x03\xe8"
    assert opened.calls == ["close"]
    opened.run(opened.connection.lose)
    assert code(opened) == 1000


def test_a_violation_is_answered_and_the_client_has_time_to_read_it(loop: asyncio.AbstractEventLoop) -> None:
    opened = Opened(loop)
    opened.feed(frame(0x83))
    assert opened.sent()[:4] == b"\x88\x16\x03\xea"
    assert opened.calls == ["write_eof"]
    opened.feed(b"garbage" * 100)
    opened.run(opened.connection.protocol.eof_received)
    assert opened.calls == ["write_eof", "close"]


def test_a_transport_that_cannot_half_close(loop: asyncio.AbstractEventLoop) -> None:
    opened = Opened(loop)
    opened.connection.transport.half_closes = False
    opened.feed(frame(0x83))
    assert opened.calls == ["close"]


def test_a_client_that_does_not_take_the_close_frame(loop: asyncio.AbstractEventLoop) -> None:
    """The connection closes when the frame has left."""
    opened = Opened(loop)
    opened.connection.transport.full = True
    opened.feed(CLOSE)
    assert opened.calls == []
    opened.run(opened.connection.transport.drain)
    opened.server.turn()
    assert opened.calls == ["close"]


@pytest.mark.parametrize("answers", [False, True])
def test_the_server_stops(loop: asyncio.AbstractEventLoop, answers: bool) -> None:
    opened = Opened(loop)
    opened.run(opened.server.state.connections.drain)
    assert opened.sent() == b"\x88\x12\x03\xf4the server stops"
    assert code(opened) == 1012
    if answers:
        opened.feed(frame(0x88, b"\x03\xf4"))
        assert opened.calls == ["close"]
    else:
        opened.run(opened.server.state.connections.stop)
        opened.server.turn()
        assert opened.calls == ["write_eof"]


def test_the_graceful_timeout_has_passed(loop: asyncio.AbstractEventLoop) -> None:
    opened = Opened(loop)
    opened.run(opened.server.state.connections.end_now)
    assert opened.calls == ["abort"]


def test_the_end_of_the_stream(loop: asyncio.AbstractEventLoop) -> None:
    opened = Opened(loop)
    opened.run(opened.connection.protocol.eof_received)
    opened.server.turn()
    assert opened.calls == ["close"]
    assert code(opened) == 1006


def test_nothing_stays_when_the_connection_is_lost(loop: asyncio.AbstractEventLoop) -> None:
    async def app(receive: object, send: object) -> None:
        await receive()  # type: ignore[operator]

    def sessions() -> set[int]:
        # Not isinstance(), which asks the lazy objects of other libraries for their class.
        return {id(each) for each in gc.get_objects() if type(each) is WebSocketSession}

    gc.collect()
    before = sessions()  # of other tests
    gc.disable()
    try:
        opened = Opened(loop, app)
        opened.run(opened.connection.lose)
        opened.server.turn(2)
        assert opened.ended == [None]
        opened.receive = opened.send = None
        assert sessions() <= before
    finally:
        gc.enable()
