"""The body of a request, received event by event and limited in size."""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator
from typing import BinaryIO, cast

from atlas.errors import ClientDisconnected
from atlas.gateway.threads import in_file_thread
from atlas.types import Event, Receive, Scope
from atlas.web.exceptions import ContentTooLarge
from atlas.web.scope_keys import BODY, BodyState

__all__ = ["BodyReader", "Reading", "check_size", "receive_body"]

MAX_KEPT = 1024 * 1024


def check_size(size: int, limit: int) -> None:
    """Refuse a body that is over the limit.

    :param size: bytes that were announced, or received so far.
    :param limit: maximum size in bytes.
    :raises ContentTooLarge: if ``size`` is over ``limit``.
    """
    if size > limit:
        raise ContentTooLarge(f"a body may have {limit} bytes here", setting="limit_body")


class BodyReader:
    """Receives a body chunk by chunk. Chunks that were looked at first are read again.

    Those are kept in memory up to :data:`MAX_KEPT` bytes, and in a file without a name above it.

    :param receive: ASGI's ``receive``.
    :param limit: maximum size in bytes of all chunks together.

    :ivar ended: whether the last chunk was received.
    """

    __slots__ = ("_file", "_in_memory", "_kept", "_limit", "_position", "_receive", "_size", "ended")

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive = receive
        self._limit = limit
        self._size = 0
        self._kept: list[bytes | tuple[int, int]] = []  # chunks, or their place in the file: start and size
        self._position = 0  # of the next kept chunk to read
        self._in_memory = 0
        self._file: BinaryIO | None = None
        self.ended = False

    async def read(self) -> bytes | None:
        """Return the next chunk, which is never empty; None at the end.

        :raises ContentTooLarge: with the first chunk over the limit.
        :raises ClientDisconnected: if the client disconnects before the end of the body.
        """
        if self._position < len(self._kept):
            index, self._position = self._position, self._position + 1
            chunk = await self._load(self._kept[index])
            self._kept[index] = b""
            return chunk
        return await self._next()

    async def look(self, index: int) -> bytes | None:
        """Return a chunk, and keep it for :meth:`read`; raises what :meth:`read` does.

        :param index: the number of the chunk, from 0; at most one more than in the call before.
        :returns: the chunk; None at the end.
        """
        if index < len(self._kept):
            return await self._load(self._kept[index])
        chunk = await self._next()
        if chunk is not None:
            await self._keep(chunk)
        return chunk

    async def receive(self) -> Event:
        """Return the next event, as ASGI's ``receive`` does: the chunks that are kept, and then those of the client."""
        if self._position == len(self._kept):
            return await self._receive()
        chunk = await self.read()
        more = not self.ended or self._position < len(self._kept)
        return {"type": "http.request", "body": chunk, "more_body": more}

    async def _next(self) -> bytes | None:
        while not self.ended:
            event = await self._receive()
            if event["type"] == "http.disconnect":
                raise ClientDisconnected("the client went away before the end of the request body")
            chunk: bytes = event.get("body", b"")
            self.ended = not event.get("more_body", False)
            self._size += len(chunk)
            check_size(self._size, self._limit)
            if chunk:
                return chunk
        return None

    async def _keep(self, chunk: bytes) -> None:
        if self._in_memory + len(chunk) <= MAX_KEPT:
            self._in_memory += len(chunk)
            self._kept.append(chunk)
            return
        start = await in_file_thread(self._write, chunk)
        self._kept.append((start, len(chunk)))

    def _write(self, chunk: bytes) -> int:
        """Append a chunk to the file, and return its start."""
        if self._file is None:
            self._file = cast(BinaryIO, tempfile.TemporaryFile())  # noqa: SIM115  # closed by __del__
        start = self._file.tell()
        self._file.write(chunk)
        self._file.flush()
        return start

    async def _load(self, chunk: bytes | tuple[int, int]) -> bytes:
        if isinstance(chunk, bytes):
            return chunk
        assert self._file is not None
        start, size = chunk
        return await in_file_thread(os.pread, self._file.fileno(), size, start)

    def __del__(self) -> None:
        if self._file is not None:
            self._file.close()  # here, because it is no mistake: without this Python warns


class Reading:
    """Notes that the body is being read: no other code may call ``receive`` meanwhile."""

    __slots__ = ("_notes", "_reader")

    def __init__(self, notes: Scope, reader: BodyReader) -> None:
        self._notes, self._reader = notes, reader

    def __enter__(self) -> None:
        self._notes[BODY] = BodyState.READING

    def __exit__(self, *error: object) -> None:
        if self._reader.ended:
            self._notes[BODY] = BodyState.READ
        else:
            self._notes.pop(BODY, None)


async def receive_body(receive: Receive, limit: int) -> AsyncIterator[bytes]:
    """Receive a body in chunks, without empty chunks.

    :param receive: ASGI's ``receive``.
    :param limit: maximum size in bytes of all chunks together.
    :raises ContentTooLarge: with the first chunk over the limit.
    :raises ClientDisconnected: if the client disconnects before the end of the body.
    """
    reader = BodyReader(receive, limit)
    while (chunk := await reader.read()) is not None:
        yield chunk
