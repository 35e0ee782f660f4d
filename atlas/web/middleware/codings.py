"""Content codings: which of them a client wants, and how bytes become smaller.

gzip comes with Python; br and zstd are there if their packages (brotli, zstandard) are. Sources: RFC 9110 8.4 and
12.5.3, RFC 1952 (gzip), RFC 7932 (br), RFC 8878 and RFC 9659 (zstd, its window on the web).
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any, NamedTuple, Protocol

from atlas.web.middleware.options import whole_number

__all__ = ["CODINGS", "Coding", "Encoder", "choose_coding", "make_codings"]

# The smaller result for the same time comes first.
CODINGS = ("zstd", "br", "gzip")
_PACKAGES = {"zstd": "zstandard", "br": "brotli"}
# Up to 19: above, zstd wants windows over the 8 MB that a browser has to have (RFC 9659 3).
_LEVELS = {"zstd": (1, 19, 3), "br": (0, 11, 4), "gzip": (1, 9, 5)}
_WEIGHT = re.compile(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?")


class Encoder(Protocol):
    """Compresses a stream, so that every piece can be read as soon as it is there."""

    def piece(self, data: bytes) -> bytes:
        """The bytes that bring the other side up to the end of ``data``."""

    def end(self) -> bytes:
        """The bytes that end the stream."""


class Coding(NamedTuple):
    """A content coding."""

    name: str
    compress: Callable[[bytes], bytes]
    encoder: Callable[[], Encoder]


class _Gzip:
    def __init__(self, level: int) -> None:
        self._object = zlib.compressobj(level, zlib.DEFLATED, 31)

    def piece(self, data: bytes) -> bytes:
        return self._object.compress(data) + self._object.flush(zlib.Z_SYNC_FLUSH)

    def end(self) -> bytes:
        return self._object.flush(zlib.Z_FINISH)


class _Brotli:
    def __init__(self, module: Any, level: int) -> None:
        self._object = module.Compressor(quality=level, lgwin=19)  # half a megabyte for each stream, not four

    def piece(self, data: bytes) -> bytes:
        return bytes(self._object.process(data) + self._object.flush())

    def end(self) -> bytes:
        return bytes(self._object.finish())


class _Zstd:
    def __init__(self, module: Any, level: int) -> None:
        # A window of 128 KB: many event streams may be open at once, and each has one.
        parameters = module.ZstdCompressionParameters.from_level(level, window_log=17)
        self._object = module.ZstdCompressor(compression_params=parameters).compressobj()
        self._flush = module.COMPRESSOBJ_FLUSH_BLOCK

    def piece(self, data: bytes) -> bytes:
        return bytes(self._object.compress(data) + self._object.flush(self._flush))

    def end(self) -> bytes:
        return bytes(self._object.flush())


def _gzip(level: int) -> Coding:
    return Coding("gzip", lambda data: zlib.compress(data, level, 31), lambda: _Gzip(level))


def _brotli(level: int) -> Coding:
    module = import_module("brotli")
    return Coding("br", lambda data: module.compress(data, quality=level), lambda: _Brotli(module, level))


def _zstd(level: int) -> Coding:
    module = import_module("zstandard")

    def compress(data: bytes) -> bytes:
        # Not one compressor for all: it is no good in two threads at once.
        return bytes(module.ZstdCompressor(level=level).compress(data))

    return Coding("zstd", compress, lambda: _Zstd(module, level))


_MAKERS: dict[str, Callable[[int], Coding]] = {"zstd": _zstd, "br": _brotli, "gzip": _gzip}


def make_codings(names: Iterable[str] | None, levels: Mapping[str, int]) -> dict[str, Coding]:
    """The codings of these names, liked in this order; None for those that this installation has.

    :raises ValueError: for an unknown name, a package that is not there, or a level that the coding does not have.
    """
    if names is None:
        names = [name for name in CODINGS if name not in _PACKAGES or find_spec(_PACKAGES[name])]
    codings = {}
    for name in names:
        if name not in _MAKERS:
            raise ValueError(f"Compress: expected codings among {', '.join(CODINGS)}, got {name!r}")
        package = _PACKAGES.get(name)
        if package is not None and find_spec(package) is None:
            raise ValueError(f"Compress: {name!r} needs the package {package!r}, which is not installed")
        codings[name] = _MAKERS[name](_level(name, levels.get(name)))
    for name in levels:
        if name not in codings:
            raise ValueError(f"Compress: a level for {name!r}, which is not among the codings {', '.join(codings)}")
    return codings


def _level(name: str, level: int | None) -> int:
    low, high, usual = _LEVELS[name]
    if level is None:
        return usual
    return whole_number(f"Compress: levels: {name}", level, low, high)


def choose_coding(accept: str, codings: Mapping[str, Coding]) -> Coding | None:
    """The coding that an ``accept-encoding`` value likes best, or None to send the body as it is (RFC 9110 12.5.3).

    Of those that are liked equally the first wins. A client that refuses everything gets the body as it is.
    """
    weights: dict[str, float] = {}
    for part in accept.split(","):
        name, _, parameter = part.partition(";")
        key, _, weight = parameter.partition("=")
        quality = 1.0
        if key.strip().lower() == "q":
            quality = float(weight) if _WEIGHT.fullmatch(weight := weight.strip()) else 0.0
        weights.setdefault(name.strip().lower(), quality)
    if "x-gzip" in weights:  # RFC 9110 8.4.1.3: the same
        weights.setdefault("gzip", weights["x-gzip"])
    others = weights.get("*", 0.0)
    best, best_quality = None, 0.0
    for name, coding in codings.items():
        quality = weights.get(name, others)
        if quality > best_quality:
            best, best_quality = coding, quality
    if best is not None and weights.get("identity", 0.0) > best_quality:
        return None
    return best
