"""A WebSocket client that sends any frame a test likes, and reads those of the server."""

from __future__ import annotations

import os
import struct
from base64 import b64encode
from dataclasses import dataclass
from hashlib import sha1
from typing import Any

from .raw_client import RawClient

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
KEY = b"\x12\x34\xab\xcd"
TEXT, BINARY, CLOSE, PING, PONG = 0x81, 0x82, 0x88, 0x89, 0x8A


def handshake(*fields: bytes, path: bytes = b"/chat?room=1", key: bytes = b"AAAAAAAAAAAAAAAAAAAAAA==") -> bytes:
    """The request of a handshake, with more *fields*."""
    lines = [
        b"GET %s HTTP/1.1" % path,
        b"Host: example.org",
        b"Upgrade: websocket",
        b"Connection: keep-alive, Upgrade",
        b"Sec-WebSocket-Key: " + key,
        b"Sec-WebSocket-Version: 13",
        *fields,
    ]
    return b"\r\n".join([*lines, b"", b""])


def frame(first: int, payload: bytes | str = b"", *, mask: bool = True) -> bytes:
    """A frame whose first byte is *first*, masked with one and the same key."""
    data = payload.encode() if isinstance(payload, str) else payload
    size, bit = len(data), 0x80 if mask else 0
    if size < 126:
        head = bytes([first, bit | size])
    elif size < 65536:
        head = struct.pack("!BBH", first, bit | 126, size)
    else:
        head = struct.pack("!BBQ", first, bit | 127, size)
    if not mask:
        return head + data
    stream = (KEY * (size // 4 + 1))[:size]
    return head + KEY + (int.from_bytes(data, "big") ^ int.from_bytes(stream, "big")).to_bytes(size, "big")


@dataclass(frozen=True)
class Head:
    """The answer to a handshake."""

    status: int
    fields: list[tuple[bytes, bytes]]

    def field(self, name: bytes) -> bytes | None:
        values = [value for key, value in self.fields if key.lower() == name]
        assert len(values) < 2
        return values[0] if values else None


class WebSocketClient:
    """Frames over a :class:`RawClient`."""

    def __init__(self, raw: RawClient) -> None:
        self.raw = raw

    def open(self, *fields: bytes, more: bytes = b"", **options: Any) -> Head:
        """Send a handshake, with *more* in the same packet; return the answer, which has to accept."""
        key = b64encode(os.urandom(16))
        self.raw.send(handshake(*fields, key=key, **options) + more)
        head = self.head()
        assert head.status == 101, head
        assert head.field(b"sec-websocket-accept") == b64encode(sha1(key + GUID).digest())
        assert (head.field(b"upgrade"), head.field(b"connection")) == (b"websocket", b"Upgrade")
        return head

    def head(self) -> Head:
        line, *fields = self.raw.read_until(b"\r\n\r\n").split(b"\r\n")[:-2]
        pairs = [(name, value) for name, _, value in (field.partition(b": ") for field in fields)]
        return Head(int(line.split(b" ")[1]), pairs)

    def send(self, first: int, payload: bytes | str = b"", **options: Any) -> None:
        self.raw.send(frame(first, payload, **options))

    def receive(self) -> tuple[int, bytes]:
        """The next frame of the server: its first byte, and its payload."""
        first, size = self.raw.read_exactly(2)
        assert size < 128, "a server does not mask"
        if size == 126:
            (size,) = struct.unpack("!H", self.raw.read_exactly(2))
            assert size > 125
        elif size == 127:
            (size,) = struct.unpack("!Q", self.raw.read_exactly(8))
            assert size > 65535
        return first, self.raw.read_exactly(size)

    def closed(self) -> tuple[int, str]:
        """The code and the reason of the close frame that comes next."""
        first, payload = self.receive()
        assert first == CLOSE, (first, payload[:100])
        return (int.from_bytes(payload[:2], "big"), payload[2:].decode()) if payload else (1005, "")

    def close(self, code: int = 1000) -> None:
        """Close, and see the server close the connection."""
        self.send(CLOSE, code.to_bytes(2, "big"))
        assert self.closed()[0] == code
        self.raw.assert_closed()
