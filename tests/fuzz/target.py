"""One input, run to its end against the compiled protocol, and everything that must hold afterwards.

The first three bytes of an input are no wire bytes: which application, how the rest is cut into pieces, how it ends.
"""

from __future__ import annotations

import asyncio
import re
import selectors
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from atlas import Settings
from atlas._speedups.buffers.connection import Connection
from atlas._speedups.http.server_state import ServerState
from atlas._speedups.http1.protocol import Http1Protocol
from atlas.errors import ClientDisconnected
from atlas.gateway.asgi import ASGIGateway
from atlas.server.server_events import ServerEvents

from .transport import FakeTransport

KNOBS = 3
TURNS = 50
"""Turns of the loop within which everything settles: nothing here waits for anything outside."""
REFUSALS = {400, 408, 413, 414, 417, 431, 501, 505}
SETTINGS = Settings(
    port=0, limit_request_line=256, limit_request_head=1024, limit_request_fields=12, limit_request_field=512,
    limit_request_body=2048, date_header=False, server_header=False, lifespan="off", ws="none",
)  # fmt: skip
TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z")
BAD_VALUE = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


@dataclass
class Call:
    """One call of the application."""

    scope: dict[str, Any]
    body: bytes = b""
    complete: bool = False
    done: bool = False


@dataclass
class Run:
    """What one delivery led to."""

    calls: list[Call] = field(default_factory=list)
    written: bytes = b""
    problems: list[str] = field(default_factory=list)


async def read_body(call: Call, receive: Any) -> None:
    while True:
        event = await receive()
        if event["type"] == "http.disconnect":
            return
        call.body += event["body"]
        if not event["more_body"]:
            call.complete = True
            return


async def respond(send: Any, body: bytes) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x", b"y")]})
    await send({"type": "http.response.body", "body": body})


async def echo(call: Call, receive: Any, send: Any) -> None:
    await read_body(call, receive)
    await respond(send, call.body)


async def heedless(call: Call, receive: Any, send: Any) -> None:
    await respond(send, b"early")


async def late(call: Call, receive: Any, send: Any) -> None:
    await asyncio.sleep(0)
    await read_body(call, receive)
    await asyncio.sleep(0)
    await respond(send, b"late")


async def streaming(call: Call, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"first", "more_body": True})
    await read_body(call, receive)
    await send({"type": "http.response.body", "body": b"z" * 70_000, "more_body": True})
    await send({"type": "http.response.body"})


async def patient(call: Call, receive: Any, send: Any) -> None:
    """Waits for the disconnect once it has answered."""
    await read_body(call, receive)
    await respond(send, b"patient")
    await receive()


APPLICATIONS = [echo, heedless, late, streaming, patient]


class NoSelector(selectors.SelectSelector):
    """Asks the kernel nothing: no input needs a real socket, and the loop turns four times as fast."""

    def select(self, timeout: float | None = None) -> list[Any]:
        return []


class Bench:
    """An event loop and a server state, with which inputs are run one after another."""

    def __init__(self) -> None:
        self.loop = asyncio.SelectorEventLoop(NoSelector())

    def close(self) -> None:
        self.loop.close()

    def run(self, data: bytes) -> Run:
        """Run one input in the way that it asks for, and once more byte by byte.

        :raises AssertionError: something happened that is not documented.
        """
        knobs, wire = data[:KNOBS].ljust(KNOBS, b"\0"), data[KNOBS:]
        first = self._deliver(knobs, pieces(wire, knobs[1]))
        if APPLICATIONS[knobs[0] % len(APPLICATIONS)] is echo and not knobs[2] & 6:
            again = self._deliver(knobs, pieces(wire, 1))
            check_same(first, again)
        return first

    def _deliver(self, knobs: bytes, wire: list[bytes]) -> Run:
        return self.loop.run_until_complete(deliver(knobs, wire))


def pieces(wire: bytes, knob: int) -> list[bytes]:
    """*wire* whole, or cut into pieces of up to 31 bytes, or of growing size."""
    if knob == 0 or not wire:
        return [wire]
    step, growing = knob % 32 or 1, knob >= 128
    cut, at = [], 0
    while at < len(wire):
        cut.append(wire[at : at + step])
        at += step
        step = step * 2 if growing else step
    return cut


async def deliver(knobs: bytes, wire: list[bytes]) -> Run:
    run = Run()
    application = APPLICATIONS[knobs[0] % len(APPLICATIONS)]

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        call = Call(scope)
        run.calls.append(call)
        try:
            await application(call, receive, send)
        except ClientDisconnected:
            pass
        finally:
            call.done = True

    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: run.problems.append(repr(context)))
    gateway = ASGIGateway(app, loop)
    state = ServerState(loop, SETTINGS, ServerEvents())
    connection = Connection(state.connections, lambda _: Http1Protocol(state, gateway))
    transport = FakeTransport(connection, slow=bool(knobs[2] & 1))
    await act(transport, wire, knobs[2], lambda: not (state.connections.open or gateway.tasks))
    run.written = bytes(transport.written)
    check(run, state, gateway, settled=not knobs[2] & 2)
    state.close()
    return run


async def act(transport: FakeTransport, wire: list[bytes], knob: int, settled: Callable[[], bool]) -> None:
    """Deliver the pieces and let the connection come to its end: by half-close, by reset, or by a stop."""
    left = b""
    for piece in wire:
        left += piece
        if transport.reading:
            transport.feed(left)
            left = b""
        if knob & 8:
            await asyncio.sleep(0)
        if not transport.open:
            break
    if knob & 2:
        transport.lose()
    elif not knob & 4:
        for _ in range(4):
            transport.drain()
            await asyncio.sleep(0)
        transport.feed(left)
        transport.finish()
    for turn in range(TURNS):
        transport.drain()
        await asyncio.sleep(0)
        if turn == TURNS - 10:
            transport.lose()
        if settled():
            return


def check(run: Run, state: ServerState, gateway: Any, *, settled: bool) -> None:
    """What holds after every input, however broken."""
    assert not run.problems, run.problems
    assert state.connections.open == 0, "the connection is still counted"
    assert state.in_work == 0, "a request is still counted"
    assert not gateway.tasks, "a task is left"
    assert all(call.done for call in run.calls), "an application still waits"
    for call in run.calls:
        check_scope(call)
    if settled:
        check_answers(run)


def check_scope(call: Call) -> None:
    """Nothing that HTTP forbids gets through to the application."""
    scope = call.scope
    hosts = 0
    for name, value in scope["headers"]:
        assert TOKEN.match(name), name
        assert name == name.lower(), name
        assert not BAD_VALUE.search(value), value
        assert value == value.strip(b" \t"), value
        hosts += name == b"host"
    assert hosts <= 1
    assert hosts == 1 or scope["http_version"] == "1.0"
    assert scope["method"].isascii()
    assert scope["method"].isupper()
    assert scope["raw_path"][:1] == b"/" or (scope["method"], scope["raw_path"]) == ("OPTIONS", b"*")
    assert not re.search(rb"[\x00-\x20\x7f-\xff#?]", scope["raw_path"])
    assert not re.search(rb"[\x00-\x20\x7f-\xff#]", scope["query_string"])
    lengths = [value for name, value in scope["headers"] if name == b"content-length"]
    assert len(lengths) <= 1
    if call.complete and lengths:
        assert int(lengths[0]) == len(call.body)
    if any(name == b"transfer-encoding" for name, _ in scope["headers"]):
        assert not lengths
    assert len(call.body) <= SETTINGS.limit_request_body


HEAD = re.compile(rb"HTTP/1\.1 (\d{3}) [^\r\n]*\r\n((?:[^\r\n:]+: [^\r\n]*\r\n)*)\r\n")


def check_answers(run: Run) -> None:
    """What was written is a row of responses, in order, of which only the last may be cut or a refusal."""
    data, number = run.written, 0
    while data:
        head = HEAD.match(data)
        assert head, f"no response: {data[:200]!r}"
        status, data = int(head[1]), data[head.end() :]
        if status in (100, 204):  # an interim response; the server's own to OPTIONS *
            continue
        fields = dict(line.split(b": ", 1) for line in head[2].split(b"\r\n") if line)
        if status != 200:
            assert status in REFUSALS, status
            assert fields[b"connection"] == b"close"
            assert len(data) == int(fields[b"content-length"]), "bytes behind a refusal"
            return
        assert number < len(run.calls), "a response that no application sent"
        method = run.calls[number].scope["method"]
        number += 1
        if method != "HEAD":
            data = skip_body(data, fields)


def skip_body(data: bytes, fields: dict[bytes, bytes]) -> bytes:
    """What comes behind the body; nothing if the body was cut."""
    if b"content-length" in fields:
        return data[int(fields[b"content-length"]) :]
    if b"transfer-encoding" not in fields:
        return b""
    while data:
        size, _, rest = data.partition(b"\r\n")
        length = int(size, 16)
        if length == 0:
            assert rest[:2] in (b"\r\n", b"")
            return rest[2:]
        assert rest[length : length + 2] in (b"\r\n", b""), "a chunk without its end"
        data = rest[length + 2 :]
    return data


def check_same(whole: Run, cut: Run) -> None:
    """However it is delivered, the same requests come out: two readings of one stream are how smuggling begins."""
    for one, other in zip(whole.calls, cut.calls, strict=False):
        for name in ("method", "raw_path", "query_string", "headers", "http_version"):
            assert one.scope[name] == other.scope[name], name
        if one.complete and other.complete:
            assert one.body == other.body
    complete = [sum(call.complete for call in run.calls) for run in (whole, cut)]
    assert complete[0] == complete[1], f"{complete[0]} whole requests, or {complete[1]} byte by byte"
