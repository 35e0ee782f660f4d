"""The queue, the pings and the end of a session, without sockets; ``tests/wire`` has the same over real ones."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atlas._speedups.websocket.session import WebSocketSession
from tests._speedups.fake_connection import TINY, run_now

from .opened import Opened
from .test_frames import frame

PING, PONG, CLOSE = b"\x89\x00", frame(0x8A), frame(0x88, b"\x03\xe8")


def receive_all(opened: Opened, count: int) -> list[Any]:
    events = [run_now(opened.receive()) for _ in range(count)]
    return [event.get("text", event.get("bytes", event.get("code"))) for event in events]


def test_a_session_is_made_by_a_handshake() -> None:
    with pytest.raises(TypeError, match="expected a handshake"):
        WebSocketSession()


def test_reading_pauses_at_the_limit_of_messages_and_goes_on_at_half_of_it(loop: asyncio.AbstractEventLoop) -> None:
    opened = Opened(loop, ws_max_queue=4)
    opened.feed(b"".join(frame(0x81, b"%d" % number) for number in range(3)))
    assert opened.calls == []
    opened.feed(b"".join(frame(0x81, b"%d" % number) for number in range(3, 9)))
    assert opened.calls == ["pause_reading"]
    assert receive_all(opened, 5) == ["0", "1", "2", "3", "4"]
    assert opened.calls == ["pause_reading"]
    assert receive_all(opened, 1) == ["5"]
    assert opened.calls == ["pause_reading", "resume_reading"]
    assert receive_all(opened, 3) == ["6", "7", "8"]


def test_reading_pauses_at_the_limit_of_bytes(loop: asyncio.AbstractEventLoop) -> None:
    opened = Opened(loop)
    for _ in range(4):
        assert opened.calls == []
        opened.feed(frame(0x82, b"x" * 65536))
    assert opened.calls == ["pause_reading"]
    receive_all(opened, 2)
    assert opened.calls == ["pause_reading", "resume_reading"]


def test_a_close_behind_a_full_queue_is_seen_when_there_is_room(loop: asyncio.AbstractEventLoop) -> None:
    opened = Opened(loop, ws_max_queue=2)
    opened.feed(frame(0x81, b"a") * 3 + CLOSE)
    assert opened.sent() == b""
    assert receive_all(opened, 4) == ["a", "a", "a", 1000]
    opened.server.turn()
    assert opened.sent() == b"\x88\x02\x03\xe8"
    assert opened.calls[-1] == "close"


@given(st.lists(st.integers(1, 50), min_size=1, max_size=30), st.integers(1, 5), st.integers(1, 40))
@settings(max_examples=60)
def test_whatever_the_pieces_every_message_arrives_once(sizes: list[int], limit: int, piece: int) -> None:
    loop = asyncio.new_event_loop()
    try:
        opened = Opened(loop, ws_max_queue=limit)
        messages = [bytes([index]) * size for index, size in enumerate(sizes)]
        data = b"".join(frame(0x82, message) for message in messages)
        received: list[Any] = []
        for start in range(0, len(data), piece):
            opened.feed(data[start : start + piece])
            if opened.calls[-1:] == ["pause_reading"]:
                received += receive_all(opened, 1)
        while len(received) < len(messages):
            received += receive_all(opened, 1)
        assert received == messages
    finally:
        loop.close()


def test_pings(loop: asyncio.AbstractEventLoop) -> None:
    opened = Opened(loop, ws_ping_interval=TINY, ws_ping_timeout=30.0)
    opened.run(opened.server.check_timeouts)
    assert opened.sent() == PING
    opened.run(opened.server.check_timeouts)
    assert opened.sent() == b""
    opened.feed(PONG)
    opened.run(opened.server.check_timeouts)
    assert opened.sent() == PING


def test_a_ping_without_a_pong(loop: asyncio.AbstractEventLoop) -> None:
    opened = Opened(loop, ws_ping_interval=TINY, ws_ping_timeout=TINY)
    opened.run(opened.server.check_timeouts)
    opened.feed(frame(0x81, b"alive"))
    opened.run(opened.server.check_timeouts)
    assert opened.sent() == PING
    opened.run(opened.server.check_timeouts)
    assert opened.sent() == b"\x88\x18\x03\xf3keepalive ping timeout"
    assert receive_all(opened, 1) == ["alive"]
    assert receive_all(opened, 1) == [1011]


def test_no_limit_for_the_pong(loop: asyncio.AbstractEventLoop) -> None:
    opened = Opened(loop, ws_ping_interval=TINY, ws_ping_timeout=None)
    for _ in range(3):
        opened.run(opened.server.check_timeouts)
        assert opened.sent() == PING


def test_a_pong_that_was_not_asked_for_changes_nothing(loop: asyncio.AbstractEventLoop) -> None:
    opened = Opened(loop, ws_ping_interval=TINY)
    opened.feed(PONG * 3)
    opened.run(opened.server.check_timeouts)
    assert opened.sent() == PING


def test_pongs_are_dropped_while_the_client_does_not_read(loop: asyncio.AbstractEventLoop) -> None:
    opened = Opened(loop)
    opened.connection.transport.full = True
    opened.feed(frame(0x89, b"x" * 125) * 20_000)
    assert len(opened.connection.transport.waiting) < 400_000
    opened.run(opened.connection.transport.drain)
    opened.sent()
    opened.feed(frame(0x89, b"again"))
    assert opened.sent() == b"\x8a\x05again"


def test_send_waits_for_room(loop: asyncio.AbstractEventLoop) -> None:
    async def app(receive: Any, send: Any) -> None:
        for _ in range(3):
            await send({"type": "websocket.send", "bytes": b"x" * 70_000})

    opened = Opened(loop)
    opened.connection.transport.full = True
    task = loop.create_task(app(opened.receive, opened.send))
    opened.server.turn(3)
    assert not task.done()
    for _ in range(4):
        opened.connection.transport.drain()
        opened.server.turn(2)
        opened.connection.transport.full = True
    assert task.done()


def test_what_one_turn_sends_leaves_in_one_write(loop: asyncio.AbstractEventLoop) -> None:
    async def app(receive: Any, send: Any) -> None:
        for number in range(3):
            await send({"type": "websocket.send", "text": str(number)})
        await receive()

    opened = Opened(loop, app)
    opened.server.turn()
    assert opened.connection.transport.writes[-1].endswith(b"\x81\x010\x81\x011\x81\x012")


@pytest.mark.parametrize("compressed", [False, True])
def test_short_messages_are_not_compressed(loop: asyncio.AbstractEventLoop, compressed: bool) -> None:
    fields = b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n" if compressed else b""
    opened = Opened(loop, fields=fields)
    for text in ("", "x" * 63):
        run_now(opened.send({"type": "websocket.send", "text": text}))
        opened.server.turn()
        assert opened.sent() == bytes([0x81, len(text)]) + text.encode()
    run_now(opened.send({"type": "websocket.send", "text": "x" * 64}))
    opened.server.turn()
    assert opened.sent()[0] == (0xC1 if compressed else 0x81)


def test_compression_is_off(loop: asyncio.AbstractEventLoop) -> None:
    fields = b"Sec-WebSocket-Extensions: permessage-deflate\r\n"
    opened = Opened(loop, fields=fields, ws_per_message_deflate=False)
    assert b"sec-websocket-extensions" not in opened.connection.sent


def test_what_the_application_did_not_receive_is_dropped_when_it_closes(loop: asyncio.AbstractEventLoop) -> None:
    opened = Opened(loop, ws_max_queue=2)
    opened.feed(frame(0x81, b"a") * 5)
    run_now(opened.send({"type": "websocket.close", "code": 4000}))
    assert receive_all(opened, 1) == [4000]
    opened.feed(frame(0x81, b"b") * 500 + CLOSE)
    assert opened.calls[-1] == "close"


def test_messages_before_a_violation_are_answered_before_it(loop: asyncio.AbstractEventLoop) -> None:
    """As the Autobahn test suite has it: 3.2 and others."""

    async def echo(receive: Any, send: Any) -> None:
        while (event := await receive())["type"] == "websocket.receive":
            await send(event | {"type": "websocket.send"})

    opened = Opened(loop, echo)
    opened.feed(frame(0x81, b"a") + frame(0x81, b"b") + frame(0x83) + frame(0x81, b"late"))
    opened.server.turn(2)
    assert opened.sent().startswith(b"\x81\x01a\x81\x01b\x88\x16\x03\xea")
    assert opened.calls[-1] == "write_eof"


def test_a_violation_behind_messages_that_are_not_received(loop: asyncio.AbstractEventLoop) -> None:
    opened = Opened(loop)
    opened.feed(frame(0x81, b"a") + frame(0x83))
    opened.feed(frame(0x81, b"late"))
    assert opened.sent() == b""
    assert opened.calls == ["pause_reading"]
    run_now(opened.send({"type": "websocket.close"}))
    assert opened.sent() == b"\x88\x02\x03\xe8"
    opened.server.turn()
    assert opened.calls == ["pause_reading", "resume_reading", "write_eof"]
