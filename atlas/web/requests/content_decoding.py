"""Decodes request bodies that the client has encoded (``content-encoding``), within the limit of the body.

gzip and deflate are part of Python; br and zstd need the packages brotli and zstandard. Sources: RFC 9110 8.4, RFC 1950
to 1952 (zlib, deflate, gzip), RFC 7932 (br), RFC 8878 and RFC 9659 (zstd, and its window size).

A short body may decode to a very long one. No decoder returns more than it is asked for (zstd: than two megabytes
more), and the decoded size is compared with the limit after each piece. With several codings this holds for each.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Protocol

from atlas.errors import ClientDisconnected
from atlas.gateway.threads import in_file_thread
from atlas.types import Event, Receive
from atlas.web.exceptions import BadRequest, ContentTooLarge, HTTPException
from atlas.web.requests.body import BodyReader, check_size

__all__ = ["CODINGS", "DecodedBody", "Decoder", "find_decoders"]

_PIECE = 64 * 1024  # bytes that are decoded at once; it takes a fraction of a millisecond
_THREAD_PIECE = 256 * 1024  # the same in a thread, which is worth more
_WINDOW = 8 * 1024 * 1024  # that a decoder of zstd has to support (RFC 9659 3)
# Input of zstd at a time: 4 bytes may be a block of 128 KB (RFC 8878 3.1.1.2), so these may be 2 MB.
_ZSTD_INPUT = 64


class Decoder(Protocol):
    """Decoder of one content coding."""

    def feed(self, data: bytes) -> None:
        """Take the next encoded bytes, after :meth:`read` has returned no more."""

    def read(self, size: int) -> bytes:
        """Return decoded bytes.

        :param size: how many to return in bytes; not many more.
        :returns: the bytes; empty if more input is needed.
        :raises Exception: of the package of the coding, if the input is malformed.
        """

    def is_complete(self) -> bool:
        """Whether the input may end here."""


class _Members:
    """Decoder of members that follow each other: those of gzip (RFC 1952 2.2), the frames of zstd (RFC 8878 3.1)."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._object: Any = None  # of the current member; None between two
        self._input = b""

    def feed(self, data: bytes) -> None:
        self._input += data

    def read(self, size: int) -> bytes:
        while self._input or self._object is not None:
            if self._object is None:
                self._object = self._make()
            piece, left = self._step(size)
            if self._object.eof:
                self._input, self._object = self._object.unused_data + left, None
            else:
                self._input = left
            if piece or (self._object is not None and not self._input):
                return piece
        return b""

    def is_complete(self) -> bool:
        return self._object is None and not self._input

    def _step(self, size: int) -> tuple[bytes, bytes]:
        """Decode a piece of the input.

        :returns: the decoded bytes, and the input that is left.
        """
        piece: bytes = self._object.decompress(self._input, size)
        return piece, self._object.unconsumed_tail


class _Zstd(_Members):
    """Decoder of zstd, whose package has no limit for the output: it gets the input in small pieces."""

    def _step(self, size: int) -> tuple[bytes, bytes]:
        pieces, start, decoded = [], 0, 0
        while start < len(self._input) and decoded < size and not self._object.eof:
            piece = self._object.decompress(self._input[start : start + _ZSTD_INPUT])
            pieces.append(piece)
            start, decoded = start + _ZSTD_INPUT, decoded + len(piece)
        return b"".join(pieces), self._input[start:]


class _Deflate:
    """Decoder of deflate: in the zlib format, or without it, as some clients send it (RFC 9110 8.4.1.2)."""

    def __init__(self) -> None:
        self._object: Any = None
        self._input = b""

    def feed(self, data: bytes) -> None:
        self._input += data

    def read(self, size: int) -> bytes:
        if self._object is None:
            if len(self._input) < 2:
                return b""
            # RFC 1950 2.2: the method is 8, and the two bytes are a multiple of 31.
            is_zlib = self._input[0] & 15 == 8 and int.from_bytes(self._input[:2]) % 31 == 0
            self._object = zlib.decompressobj(15 if is_zlib else -15)
        piece: bytes = self._object.decompress(self._input, size)
        self._input = self._object.unconsumed_tail
        if self._object.unused_data:
            raise ValueError("data behind the end")
        return piece

    def is_complete(self) -> bool:
        return not self._input and (self._object is None or self._object.eof)


class _Brotli:
    """Decoder of br."""

    def __init__(self, module: Any) -> None:
        self._object = module.Decompressor()
        self._input = b""
        self._started = False
        self._may_have_more = False  # whether there may be more of what was fed; can_accept_more_data() does not tell

    def feed(self, data: bytes) -> None:
        self._input = data
        self._started = self._may_have_more = True

    def read(self, size: int) -> bytes:
        piece = b""
        while not piece and self._may_have_more:
            data, self._input = self._input, b""
            piece = bytes(self._object.process(data, output_buffer_limit=size))
            self._may_have_more = bool(piece) or not self._object.can_accept_more_data()
        return piece

    def is_complete(self) -> bool:
        return not self._started or self._object.is_finished()


def _make_zstd(module: Any) -> Decoder:
    return _Zstd(lambda: module.ZstdDecompressor(max_window_size=_WINDOW).decompressobj(write_size=32 * 1024))


def _has_brotli() -> bool:
    # brotli 1.2 and later can limit the output of a decoder.
    return bool(find_spec("brotli")) and hasattr(import_module("brotli").Decompressor, "can_accept_more_data")


CODINGS: Mapping[str, Callable[[], bool]] = {
    "gzip": lambda: True,
    "deflate": lambda: True,
    "br": _has_brotli,
    "zstd": lambda: bool(find_spec("zstandard")),
}
"""Whether a content coding can be decoded, by its name."""


def find_decoders(names: Iterable[str]) -> dict[str, Callable[[], Decoder]]:
    """Return what creates the decoders of content codings.

    :param names: the names, which are in :data:`CODINGS` and can be decoded.
    :returns: functions by name; gzip also as ``x-gzip`` (RFC 9110 8.4.1.3).
    """
    found: dict[str, Callable[[], Decoder]] = {}
    for name in names:
        if name == "gzip":
            found["gzip"] = found["x-gzip"] = lambda: _Members(partial(zlib.decompressobj, 31))
        elif name == "deflate":
            found["deflate"] = _Deflate
        elif name == "br":
            found["br"] = partial(_Brotli, import_module("brotli"))
        else:
            found["zstd"] = partial(_make_zstd, import_module("zstandard"))
    return found


class _Decoders:
    """The decoders of a body, each of which decodes what the one before it returns."""

    def __init__(self, decoders: Sequence[Decoder], limit: int) -> None:
        self._decoders = decoders
        self._limit = limit
        self._sizes = [0] * len(decoders)
        self.is_single = len(decoders) == 1

    def feed(self, data: bytes) -> None:
        self._decoders[0].feed(data)

    def read(self, size: int) -> bytes:
        """Return decoded bytes; empty if more input is needed.

        :raises BadRequest: if the body is malformed.
        :raises ContentTooLarge: over the limit.
        """
        try:
            return self._read(len(self._decoders) - 1, size)
        except HTTPException:
            raise
        except Exception:  # the packages have exceptions of their own
            raise BadRequest("the body is not encoded as its content-encoding says") from None

    def _read(self, index: int, size: int) -> bytes:
        decoder = self._decoders[index]
        while not (piece := decoder.read(size)):
            if index == 0 or not (data := self._read(index - 1, size)):
                return b""
            decoder.feed(data)
        self._sizes[index] += len(piece)
        check_size(self._sizes[index], self._limit)
        return piece

    def finish(self) -> None:
        """Check that the input may end here.

        :raises BadRequest: if it may not.
        """
        if not all(decoder.is_complete() for decoder in self._decoders):
            raise BadRequest("the body ends before the end of its content coding")


class DecodedBody(BodyReader):
    """Receives an encoded body, and returns it decoded.

    :param receive: ASGI's ``receive``.
    :param limit: maximum size in bytes, of the body as it is sent and of the decoded body.
    :param decoders: the decoders, that of the last coding that the client has applied first.

    :ivar refusal: creates the exception that has ended the decoding; None if there is none.
    """

    __slots__ = ("_decoders", "_encoded", "_in_thread", "_told", "refusal")

    def __init__(self, receive: Receive, limit: int, decoders: Sequence[Decoder]) -> None:
        super().__init__(receive, limit)
        self._encoded = BodyReader(receive, limit)
        self._decoders = _Decoders(decoders, limit)
        self._in_thread = False
        self._told = False  # whether the last event of the body was returned by receive()
        self.refusal: Callable[[], HTTPException] | None = None

    async def receive(self) -> Event:
        """Return the next event, as ASGI's ``receive`` does, with the decoded body.

        :raises BadRequest: if the body is malformed.
        :raises ContentTooLarge: over the limit.
        """
        if self._told:
            return await self._receive()
        try:
            chunk = await self.read()
        except ClientDisconnected:
            return {"type": "http.disconnect"}
        self._told = chunk is None
        return {"type": "http.request", "body": chunk or b"", "more_body": chunk is not None}

    async def _next(self) -> bytes | None:
        if self.refusal is not None:
            raise self.refusal()
        try:
            return await self._decode()
        except ContentTooLarge as error:
            self.refusal = partial(ContentTooLarge, error.detail, setting=error.setting)
            raise
        except BadRequest as error:
            self.refusal = partial(BadRequest, error.detail)
            raise

    async def _decode(self) -> bytes | None:
        while not self.ended:
            if piece := await self._read_piece():
                return piece
            chunk = await self._encoded.read()
            if chunk is not None:
                self._decoders.feed(chunk)
            else:
                self._decoders.finish()
                self.ended = True
        return None

    async def _read_piece(self) -> bytes:
        """Return decoded bytes; empty if more input is needed.

        What one chunk decodes to has no bound but the limit: after a first piece of it the rest is left to a thread.
        """
        if self._in_thread or not self._decoders.is_single:
            piece = await in_file_thread(self._decoders.read, _THREAD_PIECE)
        else:
            piece = self._decoders.read(_PIECE)
        self._in_thread = len(piece) >= _PIECE
        return piece
