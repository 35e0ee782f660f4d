"""Decoding of the content codings of responses, chunk by chunk (RFC 9110, section 8.4)."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from importlib import import_module
from typing import TypeAlias

__all__ = ["Decode", "decoder_for"]

Decode: TypeAlias = Callable[[bytes], bytes]


def decoder_for(codings: str) -> Decode:
    """Return a function that decodes the chunks of a body, in order.

    :param codings: the value of the ``content-encoding`` field.
    :raises ValueError: for an unknown coding, or one whose package is not installed.
    """
    decoders = [_decoder(name.strip().lower()) for name in reversed(codings.split(",")) if name.strip()]

    def decode(chunk: bytes) -> bytes:
        for decoder in decoders:
            chunk = decoder(chunk)
        return chunk

    return decode


def _decoder(name: str) -> Decode:
    if name == "identity":
        return bytes
    if name in ("gzip", "x-gzip"):
        return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress
    if name == "deflate":
        return _Deflate()
    if name in _PACKAGES:
        package, make = _PACKAGES[name]
        try:
            return make(import_module(package))
        except ImportError:
            raise ValueError(f"content-encoding {name!r}: the package {package!r} is not installed") from None
    raise ValueError(f"content-encoding {name!r} is unknown")


_PACKAGES: dict[str, tuple[str, Callable[[object], Decode]]] = {
    "br": ("brotli", lambda module: module.Decompressor().process),  # type: ignore[attr-defined]  # found by name
    "zstd": ("zstandard", lambda module: module.ZstdDecompressor().decompressobj().decompress),  # type: ignore[attr-defined]
}


class _Deflate:
    """Decodes ``deflate``: the zlib format, or the deflate format without it (RFC 9110, section 8.4.1.2, note)."""

    def __init__(self) -> None:
        self._decompressor = zlib.decompressobj()

    def __call__(self, chunk: bytes) -> bytes:
        try:
            return self._decompressor.decompress(chunk)
        except zlib.error:
            self._decompressor = zlib.decompressobj(-zlib.MAX_WBITS)
            return self._decompressor.decompress(chunk)
