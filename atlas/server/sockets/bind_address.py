"""The values of ``--bind``: ``HOST:PORT``, ``[IPv6]:PORT``, ``unix:PATH``, ``fd://NUMBER`` and ``fd://NAME``."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["BindAddress", "DescriptorAddress", "TCPAddress", "UnixAddress", "parse_bind_address"]

_TCP = re.compile(r"(?P<host>\[[0-9A-Za-z:.%_\-]+\]|[^\s:\[\]/]*):(?P<port>\d{1,5})", re.ASCII)
_FD = "fd://"
_UNIX = "unix:"
_ANY_HOST = ("", "*")


@dataclass(frozen=True, slots=True)
class TCPAddress:
    """``host``: a name or an address; empty for every interface, IPv4 and IPv6."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class UnixAddress:
    """``path``: of a Unix socket that is to be made."""

    path: str


@dataclass(frozen=True, slots=True)
class DescriptorAddress:
    """``fd``: the number of an inherited descriptor, or the name that systemd has given to it."""

    fd: int | str


BindAddress = TCPAddress | UnixAddress | DescriptorAddress


def parse_bind_address(text: str) -> BindAddress:
    """Return the address that ``text`` names.

    :raises ValueError: if it is none; the message says what is wrong with it, for an error message of the caller.
    """
    if text.startswith(_FD):
        name = text.removeprefix(_FD)
        if not name:
            raise ValueError("a descriptor is missing")
        return DescriptorAddress(int(name) if name.isascii() and name.isdigit() else name)
    if text.startswith(_UNIX):
        path = text.removeprefix(_UNIX)
        if not path or "\0" in path:
            raise ValueError("a path is missing")
        return UnixAddress(path)
    match = _TCP.fullmatch(text)
    if match is None:
        raise ValueError(_what_is_wrong(text))
    port = int(match["port"])
    if port > 65535:
        raise ValueError("a port is at most 65535")
    host = match["host"].strip("[]")
    return TCPAddress("" if host in _ANY_HOST else host, port)


def _what_is_wrong(text: str) -> str:
    if "://" in text:
        return "an address has no scheme"
    if text.count(":") > 1 and "[" not in text:
        return "an IPv6 address stands in brackets"
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        return "a port is missing"
    return f"{port!r} is no port" if not port.isdigit() else f"{host!r} is no host"
