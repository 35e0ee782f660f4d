"""One input for WebSockets, run to its end: bytes behind a handshake, an application, and what must hold afterwards.

The first three bytes of an input are no wire bytes: which application and whether messages may be compressed, how the
rest is cut into pieces, how it ends.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from atlas import Settings
from atlas._speedups.buffers.connection import Connection
from atlas._speedups.http.server_state import ServerState
from atlas._speedups.http1.protocol import Http1Protocol
from atlas.errors import ClientDisconnected
from atlas.gateway.asgi import ASGIGateway
from atlas.server.server_events import ServerEvents

from .target import KNOBS, NoSelector, act, pieces
from .transport import FakeTransport

SETTINGS = Settings(
    port=0, ws_max_size=5000, ws_max_queue=4, date_header=False, server_header=False, lifespan="off"
)  # fmt: skip
HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n%s\r\n"
)
OFFER = b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"


@dataclass
class Run:
    """What one delivery led to."""

    events: list[dict[str, Any]] = field(default_factory=list)
    written: bytes = b""
    done: bool = False
    problems: list[str] = field(default_factory=list)


async def reading(run: Run, receive: Any, send: Any) -> None:
    while (event := await receive())["type"] == "websocket.receive":
        run.events.append(event)
    run.events.append(event)


async def echo(run: Run, receive: Any, send: Any) -> None:
    while (event := await receive())["type"] == "websocket.receive":
        run.events.append(event)
        await send(event | {"type": "websocket.send"})
    run.events.append(event)


async def slow(run: Run, receive: Any, send: Any) -> None:
    while (event := await receive())["type"] == "websocket.receive":
        run.events.append(event)
        await asyncio.sleep(0)
    run.events.append(event)


async def closing(run: Run, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.close", "code": 4000})
    run.events.append(await receive())


APPLICATIONS = [reading, echo, slow, closing]


class Bench:
    """An event loop with which inputs are run one after another."""

    def __init__(self) -> None:
        self.loop = asyncio.SelectorEventLoop(NoSelector())

    def close(self) -> None:
        self.loop.close()

    def run(self, data: bytes) -> Run:
        """Run one input in the way that it asks for, and once more byte by byte.

        :raises AssertionError: something happened that is not documented.
        """
        knobs, wire = data[:KNOBS].ljust(KNOBS, b"\0"), data[KNOBS:]
        first = self.loop.run_until_complete(deliver(knobs, pieces(wire, knobs[1])))
        if knobs[0] >> 1 & 3 == 0 and not knobs[2] & 7:
            again = self.loop.run_until_complete(deliver(knobs, pieces(wire, 1)))
            assert first.events == again.events, (first.events, again.events)
        return first


async def deliver(knobs: bytes, wire: list[bytes]) -> Run:
    run = Run()
    application = APPLICATIONS[knobs[0] >> 1 & 3]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        try:
            await application(run, receive, send)
        except ClientDisconnected:
            pass
        finally:
            run.done = True

    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: run.problems.append(repr(context)))
    gateway = ASGIGateway(app, loop)
    state = ServerState(loop, SETTINGS, ServerEvents())
    connection = Connection(state.connections, lambda _: Http1Protocol(state, gateway))
    transport = FakeTransport(connection, slow=bool(knobs[2] & 1))
    transport.feed(HANDSHAKE % (OFFER if knobs[0] & 1 else b""))
    await act(transport, wire, knobs[2], lambda: not (state.connections.open or gateway.tasks))
    run.written = bytes(transport.written)
    check(run, state, gateway)
    state.close()
    return run


def check(run: Run, state: ServerState, gateway: Any) -> None:
    """What holds after every input, however broken."""
    assert not run.problems, run.problems
    assert state.connections.open == 0, "the connection is still counted"
    assert state.in_work == 0, "a session is still counted"
    assert not gateway.tasks, "a task is left"
    assert run.done, "the application still waits"
    for event in run.events[:-1]:
        assert event["type"] == "websocket.receive"
        message = event["text"] if "text" in event else event["bytes"]
        assert type(message) is (str if "text" in event else bytes)
        assert len(message) <= SETTINGS.ws_max_size
    check_frames(run.written.partition(b"\r\n\r\n")[2])


def check_frames(data: bytes) -> None:
    """What was written is a row of good frames, of which only the last may be cut, and none comes behind a close."""
    while len(data) >= 2:
        first, size, at = data[0], data[1], 2
        assert first in (0x81, 0x82, 0xC1, 0xC2, 0x88, 0x89, 0x8A), first
        assert size < 128, "a server masks nothing"
        if size >= 126:
            at = 4 if size == 126 else 10
            size = int.from_bytes(data[2:at], "big")
        assert first != 0x88 or len(data) <= at + size, "a frame behind a close"
        data = data[at + size :]
