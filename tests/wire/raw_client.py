"""A client that sends raw bytes and parses responses with h11, independently of Atlas."""

from __future__ import annotations

import fcntl
import json
import os
import select
import socket
import struct
import termios
import time
from dataclasses import dataclass, field
from typing import Any

import h11

TIMEOUT = 10.0
"""Seconds after which a missing response is a failure. It is a bound, not a measurement."""

Address = tuple[str, int] | str


@dataclass(frozen=True)
class RawResponse:
    """One response as h11 understood it."""

    status: int
    reason: bytes
    http_version: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes
    trailers: list[tuple[bytes, bytes]] = field(default_factory=list)
    interim: list[tuple[int, list[tuple[bytes, bytes]]]] = field(default_factory=list)

    def header(self, name: bytes) -> bytes | None:
        """The value of *name*, which must not be there twice."""
        values = [value for key, value in self.headers if key == name]
        assert len(values) < 2, f"{name!r} came {len(values)} times"
        return values[0] if values else None

    @property
    def closes(self) -> bool:
        return (self.header(b"connection") or b"").lower() == b"close"

    def json(self) -> Any:
        return json.loads(self.body)


class Closed(AssertionError):
    """The server closed the connection where an answer was expected."""


class RawClient:
    """One connection to a server.

    :param address: ``(host, port)``, or the path of a unix socket.
    :param drip: deliver everything that is sent one byte at a time.
    :param receive_buffer: size of the kernel's receive buffer, for a client that reads slowly.
    """

    def __init__(self, address: Address, *, drip: bool = False, receive_buffer: int | None = None) -> None:
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        if isinstance(address, str):
            family = socket.AF_UNIX
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.settimeout(TIMEOUT)
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.connect(address)
        if family != socket.AF_UNIX:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._drip = drip
        self._unread = b""

    def __enter__(self) -> RawClient:
        return self

    def __exit__(self, *exc: object) -> None:
        self.socket.close()

    close = __exit__

    # What the client does.

    def send(self, data: bytes) -> None:
        """Send *data*; a server that has already closed the connection ends it early, which is no error."""
        try:
            if not self._drip:
                self.socket.sendall(data)
                return
            for index in range(len(data)):
                self.socket.sendall(data[index : index + 1])
                self._wait_until_taken()
        except (BrokenPipeError, ConnectionResetError):
            pass

    def finish(self) -> None:
        """Half-close: nothing more will be sent, but answers are still read."""
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Go away with an RST, as a crashed client does."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def _wait_until_taken(self) -> None:
        """Return when the server has read what was sent.

        On a unix socket the kernel says so: what is queued counts against the sender until it is read. A server that
        has paused reading, or has closed, never takes it, so there is a bound.
        """
        if self.socket.family != socket.AF_UNIX:
            os.sched_yield()
            return
        until = time.monotonic() + 0.2
        while self._queued() and time.monotonic() < until:
            time.sleep(0)

    def _queued(self) -> int:
        return struct.unpack("i", fcntl.ioctl(self.socket, termios.TIOCOUTQ, b"\0" * 4))[0]

    # What the client reads.

    def _receive(self) -> bytes:
        try:
            return self.socket.recv(65536)
        except ConnectionResetError:
            return b""
        except TimeoutError:
            raise AssertionError(f"nothing came for {TIMEOUT} s, and the connection is open") from None

    def read_all(self) -> bytes:
        """Everything up to the end of the stream."""
        pieces, self._unread = [self._unread], b""
        while piece := self._receive():
            pieces.append(piece)
        return b"".join(pieces)

    def read_until(self, mark: bytes) -> bytes:
        """Everything up to and with *mark*; the rest is kept for the next reading call."""
        while mark not in self._unread:
            piece = self._receive()
            if not piece:
                raise Closed(f"closed before {mark!r}; read {self._unread!r}")
            self._unread += piece
        end = self._unread.index(mark) + len(mark)
        found, self._unread = self._unread[:end], self._unread[end:]
        return found

    def read_exactly(self, size: int) -> bytes:
        """The next *size* bytes."""
        pieces, left = [self._unread], size - len(self._unread)
        while left > 0:
            piece = self._receive()
            if not piece:
                raise Closed(f"closed {left} bytes before the end")
            pieces.append(piece)
            left -= len(piece)
        data = b"".join(pieces)
        self._unread = data[size:]
        return data[:size]

    def response(self, method: str = "GET") -> RawResponse:
        """Read one response to a request with *method*.

        :raises Closed: the server closed without a byte of it.
        :raises h11.RemoteProtocolError: it is not HTTP, or was cut in the middle.
        """
        reader = h11.Connection(h11.CLIENT)
        reader.send(h11.Request(method=method, target="/", headers=[("host", "oracle")]))
        reader.send(h11.EndOfMessage())
        head: h11.Response | None = None
        body: list[bytes] = []
        interim: list[tuple[int, list[tuple[bytes, bytes]]]] = []
        while True:
            event = reader.next_event()
            if event is h11.NEED_DATA:
                self._feed(reader, started=head is not None)
            elif isinstance(event, h11.InformationalResponse):
                interim.append((event.status_code, list(event.headers)))
            elif isinstance(event, h11.Response):
                head = event
            elif isinstance(event, h11.Data):
                body.append(bytes(event.data))
            elif isinstance(event, h11.EndOfMessage):
                assert head is not None
                self._unread = reader.trailing_data[0]
                parts = (head.status_code, head.reason, head.http_version, list(head.headers), b"".join(body))
                return RawResponse(*parts, trailers=list(event.headers), interim=interim)
            else:
                raise Closed(f"closed where an answer was expected: {event!r}")

    def _feed(self, reader: h11.Connection, *, started: bool) -> None:
        data, self._unread = self._unread or self._receive(), b""
        if not data and not started and reader.trailing_data[0] == b"":
            raise Closed("closed without an answer")
        reader.receive_data(data)

    def assert_closed(self) -> None:
        """Nothing more comes and the connection ends."""
        rest = self.read_all()
        assert rest == b"", f"bytes after the last answer: {rest!r}"

    def assert_silent(self) -> None:
        """At this moment nothing has come and the connection is open."""
        assert self._unread == b""
        readable, _, _ = select.select([self.socket], [], [], 0)
        assert not readable, f"unexpected: {self.socket.recv(65536)!r}"


def send_until_it_waits(sock: socket.socket, data: bytes) -> int:
    """How much of *data* is taken before the kernel's buffers are full and stay so."""
    view, sent = memoryview(data), 0
    sock.setblocking(False)
    while sent < len(data) and select.select([], [sock], [], 0.5)[1]:
        sent += sock.send(view[sent : sent + 65536])
    sock.settimeout(TIMEOUT)
    return sent
