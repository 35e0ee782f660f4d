"""Content codings: negotiation and compression.

gzip is part of Python; br and zstd need the packages brotli and zstandard. Sources: RFC 9110 8.4 and 12.5.3, RFC 1952
(gzip), RFC 7932 (br), RFC 8878 and RFC 9659 (zstd, and its window size).
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any, NamedTuple, Protocol

from atlas.web.option_checks import check_number

__all__ = ["CODINGS", "Coding", "Encoder", "choose_coding", "make_codings"]

# The coding that compresses best in the same time comes first.
CODINGS = ("zstd", "br", "gzip")
_PACKAGES = {"zstd": "zstandard", "br": "brotli"}
# zstd up to 19: above it needs windows over the 8 MB that a client has to support (RFC 9659 3).
_LEVELS = {"zstd": (1, 19, 3), "br": (0, 11, 4), "gzip": (1, 9, 5)}
_WEIGHT = re.compile(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?")


class Encoder(Protocol):
    """Compressor of a stream: the client can decode each chunk as soon as it has received it."""

    def chunk(self, data: bytes) -> bytes:
        """Compress a chunk.

        :param data: the chunk.
        :returns: bytes from which the client can decode all of ``data``.
        """

    def end(self) -> bytes:
        """Return the bytes that end the stream."""


class Coding(NamedTuple):
    """A content coding.

    :param name: the name in ``content-encoding``.
    :param compress: compresses a complete body.
    :param encoder: creates the compressor of a stream.
    """

    name: str
    compress: Callable[[bytes], bytes]
    encoder: Callable[[], Encoder]


class _Gzip:
    def __init__(self, level: int) -> None:
        self._object = zlib.compressobj(level, zlib.DEFLATED, 31)

    def chunk(self, data: bytes) -> bytes:
        return self._object.compress(data) + self._object.flush(zlib.Z_SYNC_FLUSH)

    def end(self) -> bytes:
        return self._object.flush(zlib.Z_FINISH)


class _Brotli:
    def __init__(self, module: Any, level: int) -> None:
        self._object = module.Compressor(quality=level, lgwin=19)  # 512 KB of memory for each stream, not 4 MB

    def chunk(self, data: bytes) -> bytes:
        return bytes(self._object.process(data) + self._object.flush())

    def end(self) -> bytes:
        return bytes(self._object.finish())


class _Zstd:
    def __init__(self, module: Any, level: int) -> None:
        # A window of 128 KB: each open stream has one, and there may be many event streams.
        parameters = module.ZstdCompressionParameters.from_level(level, window_log=17)
        self._object = module.ZstdCompressor(compression_params=parameters).compressobj()
        self._flush = module.COMPRESSOBJ_FLUSH_BLOCK

    def chunk(self, data: bytes) -> bytes:
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
        # A compressor for each call: a ZstdCompressor must not be used by two threads at once.
        return bytes(module.ZstdCompressor(level=level).compress(data))

    return Coding("zstd", compress, lambda: _Zstd(module, level))


_MAKERS: dict[str, Callable[[int], Coding]] = {"zstd": _zstd, "br": _brotli, "gzip": _gzip}


def make_codings(names: Iterable[str] | None, levels: Mapping[str, int]) -> dict[str, Coding]:
    """Create content codings.

    :param names: names in the order of preference: ``zstd``, ``br``, ``gzip``; None for all whose packages are
        installed.
    :param levels: compression levels by name; a missing one means the default of the coding.
    :returns: the codings by name, in the order of preference.
    :raises TypeError: for a level that is not a number.
    :raises ValueError: for an unknown name, a package that is not installed, or a level that the coding does not have.
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
    low, high, default = _LEVELS[name]
    if level is None:
        return default
    return check_number(f"Compress: levels: {name}", level, low, high)


def choose_coding(accept: str, codings: Mapping[str, Coding]) -> Coding | None:
    """Choose a content coding by ``accept-encoding`` (RFC 9110 12.5.3).

    :param accept: the value of the field.
    :param codings: the codings in the order of preference.
    :returns: the coding with the highest weight, the first one of equals; None to send the body as it is, also to a
        client that refuses every coding.
    """
    weights: dict[str, float] = {}
    for part in accept.split(","):
        name, _, parameter = part.partition(";")
        key, _, weight = parameter.partition("=")
        quality = 1.0
        if key.strip().lower() == "q":
            quality = float(weight) if _WEIGHT.fullmatch(weight := weight.strip()) else 0.0
        weights.setdefault(name.strip().lower(), quality)
    if "x-gzip" in weights:  # equivalent to gzip, RFC 9110 8.4.1.3
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
