"""A server of Atlas without sockets: requests arrive and responses leave in memory.

The server is the real one. It runs on an event loop that gives the protocols of its connections out, whether the server
accepts by ``create_server`` or by itself. A benchmark calls a protocol as asyncio does: ``get_buffer``,
``buffer_updated``. No module of the core is imported; the same file measures versions whose modules differ.
"""

from __future__ import annotations

import asyncio
import contextlib
import selectors
import socket
from collections.abc import Callable, Iterator
from typing import Any

from atlas import Server

TURNS = 10_000  # of the event loop, within which a response is complete
SEPARATOR = b"\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"


class Incomplete(Exception):
    """The server has not sent a whole response."""


class NoSelector(selectors.SelectSelector):
    """Ask the kernel nothing: no connection has a socket."""

    def select(self, timeout: float | None = None) -> list[Any]:
        return []


class Listener:
    """What ``create_server`` returns."""

    sockets = ()

    def close(self) -> None:
        """Nothing was opened."""


class MemoryLoop(asyncio.SelectorEventLoop):
    """An event loop that gives out the protocols of the server that it runs."""

    protocol_factory: Callable[[], Any] | None = None

    def __init__(self) -> None:
        super().__init__(NoSelector())
        self._accept: tuple[Callable[..., Any], socket.socket] | None = None
        self._accepted: list[Any] = []

    def new_protocol(self) -> Any:
        """Return the protocol of a new connection, which has no transport yet."""
        if self.protocol_factory is not None:
            return self.protocol_factory()
        assert self._accept is not None, "the server does not accept connections"
        callback, listener = self._accept
        with socket.create_connection(listener.getsockname()):
            self.call_soon(callback, listener)
            while not self._accepted:
                self.turn()
        return self._accepted.pop()

    def add_reader(self, fd: Any, callback: Callable[..., Any], *args: Any) -> None:
        self._accept = (callback, fd)

    def remove_reader(self, fd: Any) -> bool:
        return True

    async def connect_accepted_socket(self, protocol_factory: Callable[[], Any], sock: Any, **_: Any) -> Any:
        sock.close()
        self._accepted.append(protocol_factory())
        return None, None

    async def create_server(self, protocol_factory: Callable[[], Any], *_: Any, **options: Any) -> Any:
        options["sock"].close()
        self.protocol_factory = protocol_factory
        return Listener()

    def turn(self) -> None:
        """Run the callbacks that are ready."""
        self.call_soon(self.stop)
        self.run_forever()


class MemoryTransport(asyncio.Transport):
    """As much of a transport as a connection asks for; it keeps what is written."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 50000), "sockname": ("127.0.0.1", 8000)})
        self.written = bytearray()
        self.closing = False

    def write(self, data: Any) -> None:
        self.written += data

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Everything is taken at once."""

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return self.closing

    def pause_reading(self) -> None:
        """Nothing arrives between two requests."""

    def resume_reading(self) -> None:
        """Nothing arrives between two requests."""

    def close(self) -> None:
        self.closing = True

    abort = close


class Link:
    """A connection of a client to the server."""

    def __init__(self, loop: MemoryLoop) -> None:
        self.loop = loop
        self.protocol = loop.new_protocol()
        self.transport = MemoryTransport()
        self.protocol.connection_made(self.transport)

    def feed(self, data: bytes) -> None:
        """Deliver bytes as asyncio does: into the protocol's buffer, in pieces of its size."""
        get_buffer, buffer_updated = self.protocol.get_buffer, self.protocol.buffer_updated
        at = 0
        while at < len(data):
            buffer = get_buffer(-1)
            size = min(len(buffer), len(data) - at)
            buffer[:size] = data[at : at + size]
            buffer_updated(size)
            at += size

    def feed_from(self, readable: socket.socket) -> None:
        """Deliver what waits in a socket, as asyncio does when it is readable."""
        self.protocol.buffer_updated(readable.recv_into(self.protocol.get_buffer(-1)))

    def wait(self, length: int) -> bytes:
        """Turn the event loop until so many bytes were written. Return them, and forget them.

        :raises Incomplete: if they do not come, or the server closes the connection.
        """
        written, turn = self.transport.written, self.loop.turn
        for _ in range(TURNS):
            if len(written) >= length:
                data = bytes(written)
                written.clear()
                return data
            if self.transport.closing:
                break
            turn()
        raise Incomplete(f"expected {length} bytes, got {bytes(written[:200])!r}")

    def ask(self, request: bytes, length: int) -> bytes:
        """Send a request whose response is known to have this length."""
        self.loop.call_soon(self.feed, request)
        return self.wait(length)

    def ask_from(self, readable: socket.socket, length: int) -> bytes:
        """As :meth:`ask`, for a request that waits in a socket."""
        self.loop.call_soon(self.feed_from, readable)
        return self.wait(length)

    def first_response(self, request: bytes) -> bytes:
        """Send a request whose response has an unknown length.

        :raises Incomplete: if it does not come.
        """
        self.loop.call_soon(self.feed, request)
        for _ in range(TURNS):
            self.loop.turn()
            if is_complete(self.transport.written):
                return self.wait(len(self.transport.written))
        raise Incomplete(f"got {bytes(self.transport.written[:200])!r}")


def is_complete(data: bytes | bytearray) -> bool:
    """Whether this is a whole response."""
    head, separator, body = bytes(data).partition(SEPARATOR)
    if not separator:
        return False
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
    if fields.get(b"transfer-encoding") == b"chunked":
        return body.endswith(LAST_CHUNK)
    return len(body) >= int(fields.get(b"content-length", 0))


@contextlib.contextmanager
def serving(app: Callable[..., Any], **settings: Any) -> Iterator[MemoryLoop]:
    """Serve the application on a loop of its own for the length of the block.

    :param settings: settings of the server, besides an access log that is off.
    """
    server = Server(app, port=0, access_log=False, **settings)
    loop = MemoryLoop()
    task = loop.create_task(server.serve())
    try:
        for _ in range(TURNS):
            loop.turn()
            if server.started or task.done():
                break
        if task.done():
            task.result()
        yield loop
    finally:
        server.stop()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            loop.run_until_complete(task)
        loop.close()
