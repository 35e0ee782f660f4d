"""Connections without sockets: a fake transport and a recording gateway, both driven by the test."""

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
"""A timeout in seconds that has passed at the next tick of the clock."""

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
    "min_request_body_rate": 0,
    "timeout_write": 30.0,
    "timeout_keep_alive": 30.0,
    "headers": (),
    "server_header": False,
    "date_header": False,
    "options_asterisk": True,
    "ws": "auto",
    "ws_max_size": 1048576,
    "ws_max_queue": 32,
    "ws_ping_interval": 20.0,
    "ws_ping_timeout": 20.0,
    "ws_per_message_deflate": True,
    "ws_deflate_window_bits": 12,
    "ws_deflate_context_takeover": True,
    "root_path": "",
}


def post(size: int, *fields: bytes) -> bytes:
    """Return the head of a request with a body of *size* bytes."""
    return b"\r\n".join([b"POST / HTTP/1.1", b"Host: a", b"Content-Length: %d" % size, *fields, b"", b""])


def run_now(awaitable: Awaitable[Any]) -> Any:
    """Return the result of an awaitable that does not wait."""
    try:
        awaitable.__await__().send(None)  # type: ignore[attr-defined]
    except StopIteration as stop:
        return stop.value
    raise AssertionError("it waits")


class FakeTransport:
    """A transport in memory.

    :ivar sent: the bytes that were sent.
    :ivar calls: the names of the methods that were called, in order.
    :ivar full: whether the socket buffer is full: then written bytes are added to ``waiting``, and the protocol is
        paused at once, as with a high-water mark of 0.
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
        """Send the waiting bytes; the socket buffer is not full any more."""
        self.full = False
        self.sent += self.waiting
        self.waiting = b""
        self.protocol.resume_writing()

    def can_write_eof(self) -> bool:
        return self.half_closes

    def _called(name: str) -> Any:  # type: ignore[misc]  # noqa: N805
        def call(self: FakeTransport) -> None:
            if name != "close" or "close" not in self.calls:  # a second close has no effect
                self.calls.append(name)

        return call

    write_eof, close, abort = _called("write_eof"), _called("close"), _called("abort")
    pause_reading, resume_reading = _called("pause_reading"), _called("resume_reading")


class Gateway(PythonGateway):
    """Records the exchanges, and calls ``respond(exchange)`` for each if it is set."""

    def __init__(self) -> None:
        self.started: list[Exchange] = []
        self.disconnected: list[Exchange] = []
        self.respond: Any = None

    def on_start(self, exchange: Exchange) -> None:
        self.started.append(exchange)
        if self.respond is not None:
            self.respond(exchange)

    def on_disconnect(self, exchange: Exchange) -> None:
        self.disconnected.append(exchange)

    on_half_close = on_disconnect

    def send_file(self, exchange: Exchange, event: Any) -> Coroutine[Any, Any, None]:
        raise NotImplementedError


class RecordedEvents:
    """Records the server events."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.refusals: list[Any] = []

    def on_request_refused(self, error: Any, client: Any) -> None:
        self.refusals.append(error)

    def __getattr__(self, name: str) -> Any:
        return lambda *_: self.calls.append(name)


def hello(exchange: Exchange) -> None:
    """Respond with the request target; for :attr:`Gateway.respond`."""
    exchange.respond(200, [], exchange.head.target)
    exchange.finish_application()


class AccessLog:
    """Records its calls."""

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
    """The state of a server and its fake connections, on an event loop that the test runs."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        limit_connections: int = 0,
        access_log: AccessLog | None = None,
        state: dict[str, Any] | None = None,
        gateway: Any = None,
        counters: Any = None,
        **settings: Any,
    ) -> None:
        assert set(settings) <= set(SETTINGS)
        self.loop = loop
        self.gateway: Any = gateway or Gateway()
        self.events = RecordedEvents()
        all_settings = SimpleNamespace(**SETTINGS | settings)
        self.state = ServerState(
            loop, all_settings, self.events, limit_connections, access_log, state, counters=counters
        )

    def new_protocol(self, connection: Connection) -> Http1Protocol:
        return Http1Protocol(self.state, self.gateway)

    def connect(self, **extra: Any) -> FakeConnection:
        return FakeConnection(self, **extra)

    def turn(self, times: int = 1) -> None:
        """Run the callbacks that are ready."""
        for _ in range(times):
            self.loop.call_soon(self.loop.stop)
            self.loop.run_forever()

    def run(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Call a function in a callback of the loop, and run the callbacks that are ready."""
        self.loop.call_soon(function, *arguments)
        self.turn()

    def check_timeouts(self) -> None:
        """Check the timeouts after the next tick of the clock."""
        start = monotonic()
        while monotonic() <= start + TINY:
            pass
        self.state.connections.check_timeouts()


class FakeConnection:
    """A connection of a fake server, with a fake transport."""

    def __init__(self, server: FakeServer, **extra: Any) -> None:
        self.server = server
        self.protocol = Connection(server.state.connections, server.new_protocol)
        self.transport = FakeTransport(**extra)
        self.transport.protocol = self.protocol
        self.protocol.connection_made(self.transport)

    def feed(self, data: bytes, size: int | None = None) -> None:
        """Receive *data* from the client, in chunks of *size* bytes."""
        for start in range(0, len(data), size or len(data) or 1):
            chunk = data[start : start + (size or len(data))]
            self.protocol.get_buffer(-1)[: len(chunk)] = chunk
            self.protocol.buffer_updated(len(chunk))

    def lose(self, error: Exception | None = None) -> None:
        """Lose the connection."""
        self.protocol.connection_lost(error)

    @property
    def exchange(self) -> Exchange:
        """The exchange that was started last."""
        return self.server.gateway.started[-1]

    @property
    def sent(self) -> bytes:
        return self.transport.sent

    @property
    def calls(self) -> list[str]:
        return self.transport.calls

    def request(self, data: bytes = GET) -> Exchange:
        """Receive a request; return the exchange that it starts."""
        before = len(self.server.gateway.started)
        self.feed(data)
        assert len(self.server.gateway.started) == before + 1
        return self.exchange

    def responses(self, *methods: str) -> list[tuple[int, dict[bytes, bytes], bytes]]:
        """Return (status, headers, body) of each response, as h11 parses them; one per method, default one GET."""
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
    return run_now(exchange.send({"type": "http.response.start", "status": status, "headers": list(headers), **more}))


def body(exchange: Exchange, data: bytes = b"", more: bool = False) -> Any:
    """Send ``http.response.body``."""
    return run_now(exchange.send({"type": "http.response.body", "body": data, "more_body": more}))


def receive(exchange: Exchange) -> dict[str, Any]:
    """Return the event of ``receive``, which does not wait."""
    return run_now(exchange.receive())
