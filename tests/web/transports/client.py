"""One request over a socket, byte for byte as a test wants it, and its response as h11 understands it.

h11 is strict, and nobody's relative here: what it refuses is a mistake of the server.
"""

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

__all__ = ["Answer", "Conversation", "Cut", "Question"]

Fields = Sequence[tuple[bytes, bytes]]

_OF_THE_HOP = {b"connection", b"keep-alive", b"transfer-encoding"}  # RFC 9110 7.6.1: not the application's


class Cut(ConnectionError):
    """The response ended before it was complete."""


@dataclass(frozen=True)
class Question:
    """A request.

    :ivar pieces: of the body; framed in chunks unless the fields announce a length. :ivar leaves: the client goes
        away in the middle of the body.
    """

    method: str
    target: bytes
    headers: Fields
    pieces: Sequence[bytes] = ()
    scheme: str = "http"
    version: str = "1.1"
    leaves: bool = False

    def encoded(self) -> bytes:
        """The bytes to send."""
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
class Answer:
    """A response: what the application said, without what belongs to the connection."""

    status: int = 0
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    pieces: list[bytes] = field(default_factory=list)
    """As the server framed them."""


class Conversation:
    """A connection on which one question is asked; a context manager that opens and closes it.

    :raises h11.RemoteProtocolError: if what comes back is no HTTP.
    """

    def __init__(self, address: tuple[str, int], question: Question) -> None:
        self._question = question
        self._reader = _Reader(question.method)
        self._sock = socket.create_connection(address, PATIENCE)

    def __enter__(self) -> Conversation:
        if self._question.scheme == "https":
            self._sock = _client_context().wrap_socket(self._sock, server_hostname="site.test")
        return self

    def __exit__(self, *_: object) -> None:
        self._sock.close()

    def answer(self) -> Answer | None:
        """Ask, and read the whole answer; None if the connection was closed without one.

        :raises Cut: if the answer ends in the middle.
        """
        self._send(self._question.encoded())
        if self._question.leaves:
            self._sock.shutdown(socket.SHUT_WR)
        while not self._reader.complete and not self._reader.ended:
            self._reader.feed(self._received())
        if self._question.scheme == "http" and not self._reader.ended:
            with suppress(OSError):  # it has gone away by itself
                self._sock.shutdown(socket.SHUT_WR)  # whoever still waits for the rest of the body need not
        return self._reader.answer if self._reader.answer.status else None

    def last_words(self) -> bytes:
        """What the server has sent behind its answer until it closed; there should be nothing."""
        rest = self._reader.rest
        while not self._reader.ended and (data := self._received()):
            rest += data
        return rest

    def _send(self, data: bytes) -> None:
        """Send, and read what comes in the meantime: a server may answer before it has read all of it, and leave."""
        view = memoryview(data)
        while view and not self._reader.ended:
            readable, writable, _ = select.select([self._sock], [self._sock], [], PATIENCE)
            if readable and not isinstance(self._sock, ssl.SSLSocket):  # there, it may be no more than a ticket
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
    """Makes an answer of bytes."""

    def __init__(self, method: str) -> None:
        self.answer = Answer()
        self.complete = self.ended = False
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 20)
        self._http.send(h11.Request(method=method, target="/", headers=[("host", "site.test")]))
        self._http.send(h11.EndOfMessage())

    @property
    def rest(self) -> bytes:
        """What came after the end."""
        return self._http.trailing_data[0]

    def feed(self, data: bytes) -> None:
        """Take bytes that were received; none of them is the end of the connection."""
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
            pieces[-1] += data  # a chunk that came in two reads, or a body that has no chunks
        else:
            pieces.append(data)


@cache
def _client_context() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=CERTIFICATE)
