"""A transport in memory: it records what is written, and feeds bytes to the protocol."""

from __future__ import annotations

import asyncio
from typing import Any


class FakeTransport(asyncio.Transport):
    """As much of an asyncio transport as a connection may ask for.

    :param slow: take nothing at first, as a client does that does not read; :meth:`drain` takes all.
    """

    def __init__(self, protocol: Any, *, slow: bool = False) -> None:
        super().__init__({"peername": ("127.0.0.1", 50000), "sockname": ("127.0.0.1", 8000)})
        self.protocol = protocol
        self.written = bytearray()
        self.reading = True
        self.open = True
        self.write_closed = False
        self._slow = slow
        self._waiting = 0
        self._lost = False
        protocol.connection_made(self)

    # What the protocol calls.

    def write(self, data: Any) -> None:
        if self._lost:
            return  # as real transports do, until they have called the protocol
        assert self.open, "a write after the close"
        assert not self.write_closed, "a write after the end of writing"
        assert len(data), "an empty write"
        self.written += data
        if self._slow:
            if not self._waiting:
                self.protocol.pause_writing()
            self._waiting += len(data)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return self._waiting

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.write_closed = True

    def is_closing(self) -> bool:
        return not self.open

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def close(self) -> None:
        self._end(None)

    def abort(self) -> None:
        self._end(None)

    def _end(self, error: Exception | None) -> None:
        if self.open:
            self.open = False
            asyncio.get_running_loop().call_soon(self.protocol.connection_lost, error)

    # What the client does.

    def feed(self, data: bytes) -> None:
        """*data* arrives; the event loop gives it in pieces no larger than the protocol's buffer."""
        while data and self.open and self.reading:
            view = self.protocol.get_buffer(-1)
            size = min(len(view), len(data))
            view[:size] = data[:size]
            self.protocol.buffer_updated(size)
            data = data[size:]

    def drain(self) -> None:
        """The client has read everything."""
        while self._waiting and self.open:
            self._waiting = 0
            self.protocol.resume_writing()

    def finish(self) -> None:
        """The client half-closes."""
        if self.open and not self.protocol.eof_received():
            self.close()

    def lose(self) -> None:
        """The client resets the connection."""
        self._lost = True
        self._end(ConnectionResetError(104, "reset by the fuzzer"))
