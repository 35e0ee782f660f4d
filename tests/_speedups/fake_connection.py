"""A connection without a socket: the test is the client, the transport and, through exchanges, the application."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from types import SimpleNamespace
from typing import Any

import h11
from tests.compiled.connections import PythonGateway
from tests.compiled.connections import now as monotonic

from atlas._speedups.buffers.connection import Connection
from atlas._speedups.http.exchange import Exchange
from atlas._speedups.http.server_state import ServerState
from atlas._speedups.http1.protocol import Http1Protocol

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
TINY = 1e-9
"""A time-out that is over at the clock's next tick."""

SETTINGS: dict[str, Any] = {
    "limit_request_line": 8192,
    "limit_request_head": 65536,
    "limit_request_fields": 128,
    "limit_request_field": 16384,
    "limit_request_body": 0,
    "limit_concurrency": None,
    "limit_max_requests": None,
    "timeout_request_head": 30.0,
    "timeout_request_body": 30.0,
    "timeout_write": 30.0,
    "timeout_keep_alive": 30.0,
    "headers": (),
    "server_header": False,
    "date_header": False,
    "root_path": "",
}


def post(size: int, *fields: bytes) -> bytes:
    """The head of a request with a body of *size* bytes."""
    return b"\r\n".join([b"POST / HTTP/1.1", b"Host: a", b"Content-Length: %d" % size, *fields, b"", b""])


def now(awaitable: Awaitable[Any]) -> Any:
    """The result of an awaitable that must not have to wait."""
    try:
        awaitable.__await__().send(None)  # type: ignore[attr-defined]
    except StopIteration as stop:
        return stop.value
    raise AssertionError("it waits")


class Transport:
    """What an asyncio transport does, as far as a connection can tell; nothing happens but what the test says.

    ``sent`` is what has left; ``calls`` tells, in order, what was asked. While ``full`` is set nothing leaves:
    ``waiting`` grows, and the protocol is told so at once, as transports do whose limit is nought.
    """

    def __init__(self, **extra: Any) -> None:
        self.extra = {"peername": ("10.0.0.1", 4711), "sockname": ("127.0.0.1", 8000), **extra}
        self.calls: list[str] = []
        self.sent = b""
        self.writes: list[bytes] = []
        self.waiting = b""
        self.full = False
        self.protocol: Any = None
        self.limits: dict[str, int] = {}
        self.half_closes = True

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self.extra.get(name, default)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        assert high is not None
        self.limits = {"high": high}

    def get_write_buffer_size(self) -> int:
        return len(self.waiting)

    def write(self, data: bytes | memoryview) -> None:
        assert "close" not in self.calls, "written after close"
        assert "write_eof" not in self.calls, "written after write_eof"
        assert len(data), "an empty write"
        self.writes.append(bytes(data))
        if not self.full:
            self.sent += data
            return
        was_empty = not self.waiting
        self.waiting += data
        if was_empty:
            self.protocol.pause_writing()

    def drain(self) -> None:
        """The socket takes what was waiting, and what comes after."""
        self.full = False
        self.sent += self.waiting
        self.waiting = b""
        self.protocol.resume_writing()

    def can_write_eof(self) -> bool:
        return self.half_closes

    def _called(name: str) -> Any:  # type: ignore[misc]  # noqa: N805
        def call(self: Transport) -> None:
            if name != "close" or "close" not in self.calls:  # closing twice is closing once
                self.calls.append(name)

        return call

    write_eof, close, abort = _called("write_eof"), _called("close"), _called("abort")
    pause_reading, resume_reading = _called("pause_reading"), _called("resume_reading")


class Gateway(PythonGateway):
    """Keeps what it is told; answers at once if ``answer`` says how."""

    def __init__(self) -> None:
        self.started: list[Exchange] = []
        self.left: list[Exchange] = []
        self.answer: Any = None

    def on_start(self, exchange: Exchange) -> None:
        self.started.append(exchange)
        if self.answer is not None:
            self.answer(exchange)

    def on_disconnect(self, exchange: Exchange) -> None:
        self.left.append(exchange)

    on_half_close = on_disconnect

    def send_file(self, exchange: Exchange, event: Any) -> Coroutine[Any, Any, None]:
        raise NotImplementedError


class Events:
    """Keeps what happened."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.refusals: list[Any] = []

    def on_request_refused(self, error: Any, client: Any) -> None:
        self.refusals.append(error)

    def __getattr__(self, name: str) -> Any:
        return lambda *_: self.told.append(name)


def hello(exchange: Exchange) -> None:
    """An answer for :attr:`Gateway.answer`: the target comes back."""
    exchange.respond(200, [], exchange.head.target)
    exchange.finish_application()


class AccessLog:
    """Counts what it is asked for."""

    def __init__(self) -> None:
        self.records: list[tuple[Any, ...]] = []
        self.takes_lines = False
        self.calls: list[str] = []

    def wake(self) -> None:
        self.calls.append("wake")

    def flush(self) -> None:
        self.calls.append("flush")
        self.records.clear()


class FakeServer:
    """A worker whose connections end at fake transports, on a loop that turns when the test says so."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        limit_connections: int = 0,
        access_log: AccessLog | None = None,
        state: dict[str, Any] | None = None,
        gateway: Any = None,
        **settings: Any,
    ) -> None:
        assert set(settings) <= set(SETTINGS)
        self.loop = loop
        self.gateway: Any = gateway or Gateway()
        self.events = Events()
        told = SimpleNamespace(**SETTINGS | settings)
        self.state = ServerState(loop, calls, self.events, limit_connections, access_log, state)

    def new_protocol(self, connection: Connection) -> Http1Protocol:
        return Http1Protocol(self.state, self.gateway)

    def connect(self, **extra: Any) -> FakeConnection:
        return FakeConnection(self, **extra)

    def turn(self, times: int = 1) -> None:
        """Let everything that is ready run, once."""
        for _ in range(times):
            self.loop.call_soon(self.loop.stop)
            self.loop.run_forever()

    def run(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Call it as the loop would, and let what follows from it run."""
        self.loop.call_soon(function, *arguments)
        self.turn()

    def sweep(self) -> None:
        """Carry out what is overdue at the clock's next tick."""
        start = monotonic()
        while monotonic() <= start + TINY:
            pass
        self.state.connections.check_timeouts()


class FakeConnection:
    """One connection of an server."""

    def __init__(self, server: FakeServer, **extra: Any) -> None:
        self.server = server
        self.connection = Connection(server.state.connections, server.new_protocol)
        self.transport = Transport(**extra)
        self.transport.protocol = self.connection
        self.connection.connection_made(self.transport)

    def feed(self, data: bytes, size: int | None = None) -> None:
        """Deliver *data*, in pieces of *size* bytes."""
        for start in range(0, len(data), size or len(data) or 1):
            piece = data[start : start + (size or len(data))]
            self.connection.get_buffer(-1)[: len(piece)] = piece
            self.connection.buffer_updated(len(piece))

    def lose(self, error: Exception | None = None) -> None:
        """The connection is gone."""
        self.connection.connection_lost(error)

    @property
    def exchange(self) -> Exchange:
        """The exchange that was begun last."""
        return self.server.gateway.started[-1]

    @property
    def sent(self) -> bytes:
        return self.transport.sent

    @property
    def calls(self) -> list[str]:
        return self.transport.calls

    def request(self, data: bytes = GET) -> Exchange:
        """Deliver a request; the exchange that it begins."""
        before = len(self.server.gateway.started)
        self.feed(data)
        assert len(self.server.gateway.started) == before + 1
        return self.exchange

    def answers(self, *methods: str) -> list[tuple[int, dict[bytes, bytes], bytes]]:
        """(status, headers, body) of each answer so far, as h11 reads them; one per method (GET if none is named)."""
        reader = h11.Connection(h11.CLIENT)
        reader.receive_data(self.sent)
        if self.calls and self.calls[-1] in ("close", "write_eof"):
            reader.receive_data(b"")
        read = []
        for method in methods or ("GET",):
            reader.send(h11.Request(method=method, target="/", headers=[("host", "a")]))
            reader.send(h11.EndOfMessage())
            body = b""
            while not isinstance(event := reader.next_event(), h11.EndOfMessage):
                if isinstance(event, h11.Response):
                    head = event
                elif isinstance(event, h11.Data):
                    body += event.data
                else:
                    assert isinstance(event, h11.InformationalResponse), event
            read.append((head.status_code, dict(head.headers), body))
            if reader.our_state is h11.DONE and reader.their_state is h11.DONE:
                reader.start_next_cycle()
        return read


def start(exchange: Exchange, status: int = 200, *headers: tuple[bytes, bytes], **more: Any) -> Any:
    """Send ``http.response.start``."""
    return now(exchange.send({"type": "http.response.start", "status": status, "headers": list(headers), **more}))


def body(exchange: Exchange, data: bytes = b"", more: bool = False) -> Any:
    """Send ``http.response.body``."""
    return now(exchange.send({"type": "http.response.body", "body": data, "more_body": more}))


def receive(exchange: Exchange) -> dict[str, Any]:
    """What ``receive`` has at this moment."""
    return now(exchange.receive())
