"""Content codings of responses, taken off piece by piece (RFC 9110 8.4)."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from importlib import import_module
from typing import TypeAlias

__all__ = ["Decode", "decoder_for"]

Decode: TypeAlias = Callable[[bytes], bytes]


def decoder_for(codings: str) -> Decode:
    """What takes off the codings of a ``content-encoding`` field; it is fed the pieces of the body in order.

    :raises ValueError: for a coding that nobody here knows, or whose package is not installed.
    """
    steps = [_step(name.strip().lower()) for name in reversed(codings.split(",")) if name.strip()]

    def decode(piece: bytes) -> bytes:
        for step in steps:
            piece = step(piece)
        return piece

    return decode


def _step(name: str) -> Decode:
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
            raise ValueError(f"content-encoding {name!r}: the package {package!r} reads it, install that") from None
    raise ValueError(f"content-encoding {name!r} is unknown")


_PACKAGES: dict[str, tuple[str, Callable[[object], Decode]]] = {
    "br": ("brotli", lambda module: module.Decompressor().process),  # type: ignore[attr-defined]  # found by name
    "zstd": ("zstandard", lambda module: module.ZstdDecompressor().decompressobj().decompress),  # type: ignore[attr-defined]
}


class _Deflate:
    """``deflate`` is the zlib format, and bare deflate from some (RFC 9110 8.4.1.2 warns of them)."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj()
        self._first = True

    def __call__(self, piece: bytes) -> bytes:
        first, self._first = self._first and not piece, False
        self._first = first
        try:
            return self._inner.decompress(piece)
        except zlib.error:
            self._inner = zlib.decompressobj(-zlib.MAX_WBITS)
            return self._inner.decompress(piece)
