"""Sends the bytes of one request over a socket, and parses the response with h11, which is strict."""

from __future__ import annotations

import select
import socket
import ssl
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache

import h11

from tests.web.transports.servers import CERTIFICATE, PATIENCE

__all__ = ["Cut", "RawConnection", "RawRequest", "RawResponse"]

Fields = Sequence[tuple[bytes, bytes]]

_OF_THE_HOP = {b"connection", b"keep-alive", b"transfer-encoding"}  # RFC 9110, section 7.6.1: of the connection


class Cut(ConnectionError):
    """The response ended before it was complete."""


@dataclass(frozen=True)
class RawRequest:
    """A request.

    :ivar pieces: the chunks of the body, with the chunked coding unless there is a ``content-length``.
    :ivar leaves: whether the client disconnects before the end of the body.
    """

    method: str
    target: bytes
    headers: Fields
    pieces: Sequence[bytes] = ()
    scheme: str = "http"
    version: str = "1.1"
    leaves: bool = False

    def encoded(self) -> bytes:
        """Return the bytes to send."""
        headers = list(self.headers)
        names = {name.lower() for name, _ in headers}
        if b"host" not in names and self.version == "1.1":
            headers.insert(0, (b"host", b"localhost"))
        body = b"".join(self.pieces)
        announced = b"content-length" in names
        if (body or self.leaves) and not announced:
            if b"transfer-encoding" not in names:
                headers.append((b"transfer-encoding", b"chunked"))
            chunks = [b"%x\r\n%s\r\n" % (len(piece), piece) for piece in self.pieces if piece]
            body = b"".join([*chunks, b"" if self.leaves else b"0\r\n\r\n"])
        line = b"%s %s HTTP/%s\r\n" % (self.method.encode(), self.target, self.version.encode())
        return line + b"".join(b"%s: %s\r\n" % pair for pair in headers) + b"\r\n" + body


@dataclass
class RawResponse:
    """A response, without the header fields of the connection."""

    status: int = 0
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    pieces: list[bytes] = field(default_factory=list)
    """The chunks of the body."""


class RawConnection:
    """A connection for one request; a context manager that closes it.

    :param address: of the server.
    :param request: the request.
    """

    def __init__(self, address: tuple[str, int], request: RawRequest) -> None:
        self._request = request
        self._reader = _Reader(request.method)
        self._sock = socket.create_connection(address, PATIENCE)

    def __enter__(self) -> RawConnection:
        if self._request.scheme == "https":
            self._sock = _client_context().wrap_socket(self._sock, server_hostname="site.test")
        return self

    def __exit__(self, *_: object) -> None:
        self._sock.close()

    def response(self) -> RawResponse | None:
        """Send the request, and return the response; None if the connection was closed without one.

        :raises Cut: if the response is not complete.
        :raises h11.RemoteProtocolError: if it is not valid.
        """
        self._send(self._request.encoded())
        if self._request.leaves:
            self._sock.shutdown(socket.SHUT_WR)
        while not self._reader.complete and not self._reader.ended:
            self._reader.feed(self._received())
        if self._request.scheme == "http" and not self._reader.ended:
            with suppress(OSError):  # the server has closed the connection
                self._sock.shutdown(socket.SHUT_WR)  # ends an application that waits for the body
        return self._reader.answer if self._reader.answer.status else None

    def rest(self) -> bytes:
        """Return the bytes after the response, until the server closes the connection."""
        rest = self._reader.rest
        while not self._reader.ended and (data := self._received()):
            rest += data
        return rest

    def _send(self, data: bytes) -> None:
        """Send, and read meanwhile: a server may respond and close the connection before it has read everything."""
        view = memoryview(data)
        while view and not self._reader.ended:
            readable, writable, _ = select.select([self._sock], [self._sock], [], PATIENCE)
            if readable and not isinstance(self._sock, ssl.SSLSocket):  # with TLS it may be a session ticket only
                self._reader.feed(self._received())
            if writable:
                try:
                    view = view[self._sock.send(view[: 1 << 16]) :]
                except (BrokenPipeError, ConnectionResetError):
                    return

    def _received(self) -> bytes:
        try:
            return self._sock.recv(1 << 16)
        except ConnectionResetError:
            return b""


class _Reader:
    """Parses a response."""

    def __init__(self, method: str) -> None:
        self.answer = RawResponse()
        self.complete = self.ended = False
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 20)
        self._http.send(h11.Request(method=method, target="/", headers=[("host", "site.test")]))
        self._http.send(h11.EndOfMessage())

    @property
    def rest(self) -> bytes:
        """The bytes after the response."""
        return self._http.trailing_data[0]

    def feed(self, data: bytes) -> None:
        """Parse received bytes; none for the end of the connection."""
        self.ended = not data
        try:
            self._http.receive_data(data)
            while not self.complete and self._take(self._http.next_event()):
                pass
        except h11.RemoteProtocolError as error:
            if not self.ended:
                raise
            if self.answer.status:
                raise Cut(str(error)) from error

    def _take(self, event: object) -> bool:
        if isinstance(event, h11.Response):
            self.answer.status = event.status_code
            self.answer.headers = [pair for pair in event.headers if pair[0] not in _OF_THE_HOP]
        elif isinstance(event, h11.Data):
            self._take_piece(event)
        elif isinstance(event, h11.EndOfMessage):
            self.complete = True
        return event is not h11.NEED_DATA and not isinstance(event, h11.ConnectionClosed)

    def _take_piece(self, event: h11.Data) -> None:
        pieces, data = self.answer.pieces, bytes(event.data)
        if pieces and not event.chunk_start:
            pieces[-1] += data  # a chunk in two reads, or a body without the chunked coding
        else:
            pieces.append(data)


@cache
def _client_context() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=CERTIFICATE)
