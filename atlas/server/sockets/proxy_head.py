"""The head that a proxy sends before the bytes of a client: the PROXY protocol, version 1 (text) and 2 (binary).

The specification is ``doc/proxy-protocol.txt`` of HAProxy; its sections stand beside the code. Nothing here waits or
reads: the functions take the bytes that came.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from struct import Struct

__all__ = ["MAX_HEAD", "ProxyHead", "ProxyHeadError", "count_head_bytes", "parse_head"]

_V1 = b"PROXY "
_V1_MAX = 107  # bytes of a line with its CRLF (2.1)
_V2 = b"\r\n\r\n\x00\r\nQUIT\n"
_V2_FIXED = Struct("!12sBBH")  # signature; version and command; family and protocol; size of what follows (2.2)
MAX_HEAD = 16384
"""Bytes of the longest head that is accepted. One with a client certificate among its TLVs has a few thousand."""

_LOCAL, _PROXY = 0x20, 0x21  # version 2 with a command
_UNSPEC, _INET, _INET6, _UNIX = range(4)
_DATAGRAM = 2  # the last of the protocols: unspecified, stream, datagram
_ADDRESSES = {_INET: Struct("!4s4sHH"), _INET6: Struct("!16s16sHH"), _UNIX: Struct("!108s108s")}
_TLV = Struct("!BH")
_TLV_SSL, _CLIENT_SSL = 0x20, 0x01  # 2.2.6; the client has connected to the proxy over TLS

_Host = tuple[str, int]


class ProxyHeadError(ValueError):
    """The bytes are not a head of the PROXY protocol; the message says why."""


@dataclass(frozen=True, slots=True)
class ProxyHead:
    """What a proxy says of a connection.

    ``is_local``: nothing: the proxy's own connection, such as a health check, or a client whose address it does not
    know. ``client``: the client's address and port; None for one that has connected by a Unix socket. ``server``: the
    address and port, or the path and None, that the client has connected to. ``secure``: whether it has done so by TLS.
    """

    is_local: bool = False
    client: _Host | None = None
    server: _Host | tuple[str, None] | None = None
    secure: bool = False


def count_head_bytes(data: bytes) -> int:
    """Return how many of the bytes that came belong to the head.

    The head is complete if they are fewer than ``data`` has, or if :func:`parse_head` returns one for them.

    :raises ProxyHeadError: if this is no head, or it is too long.
    """
    if data[: len(_V1)] == _V1[: len(data)]:
        end = data.find(b"\r\n", 0, _V1_MAX)
        if end < 0 and len(data) >= _V1_MAX:
            raise ProxyHeadError(f"a line of version 1 has at most {_V1_MAX} bytes")
        return end + 2 if end >= 0 else len(data)
    if data[: len(_V2)] != _V2[: len(data)]:
        raise ProxyHeadError("this is no head of the PROXY protocol")
    if len(data) < _V2_FIXED.size:
        return len(data)
    size: int = _V2_FIXED.size + _V2_FIXED.unpack_from(data)[3]
    if size > MAX_HEAD:
        raise ProxyHeadError(f"a head has at most {MAX_HEAD} bytes, got {size}")
    return min(len(data), size)


def parse_head(data: bytes) -> ProxyHead | None:
    """Parse a head.

    :param data: the bytes of the head, as :func:`count_head_bytes` counts them.
    :returns: None if more of it is to come.
    :raises ProxyHeadError: if it is malformed.
    """
    if data.startswith(_V1):
        return _parse_line(data[:-2]) if data.endswith(b"\r\n") else None
    if len(data) < _V2_FIXED.size:
        return None
    _, command, kind, size = _V2_FIXED.unpack_from(data)
    return _parse_binary(command, kind, data[_V2_FIXED.size :]) if len(data) == _V2_FIXED.size + size else None


def _parse_line(line: bytes) -> ProxyHead:
    """Parse a line of version 1, without its end (2.1)."""
    words = line.decode("latin-1").split(" ")
    if words[1] == "UNKNOWN":  # what follows is to be ignored
        return ProxyHead(is_local=True)
    kinds: dict[str, type[IPv4Address | IPv6Address]] = {"TCP4": IPv4Address, "TCP6": IPv6Address}
    if words[1] not in kinds or len(words) != 6:
        raise ProxyHeadError("version 1: expected TCP4, TCP6 or UNKNOWN, and two addresses and two ports")
    if b"%" in line:  # IPv6Address takes any text behind it for a zone, line feeds too
        raise ProxyHeadError("version 1: expected addresses without a zone")
    try:
        source, destination = (kinds[words[1]](word) for word in words[2:4])
    except ValueError as error:
        raise ProxyHeadError(f"version 1: {error}") from None
    return ProxyHead(client=_host(source, _port(words[4])), server=_host(destination, _port(words[5])))


def _port(word: str) -> int:
    if not (word.isascii() and word.isdigit() and len(word) <= 5 and int(word) <= 65535):
        raise ProxyHeadError(f"version 1: expected a port from 0 to 65535, got {word!r}")
    return int(word)


def _parse_binary(command: int, kind: int, rest: bytes) -> ProxyHead:
    """Parse a head of version 2, without its first 16 bytes (2.2)."""
    if command not in (_LOCAL, _PROXY):
        raise ProxyHeadError(f"expected version 2 with the command LOCAL or PROXY, got {command:#04x}")
    if command == _LOCAL:
        return ProxyHead(is_local=True)
    family, protocol = kind >> 4, kind & 0xF
    if family > _UNIX or protocol > _DATAGRAM:
        raise ProxyHeadError(f"version 2: there is no address family and protocol {kind:#04x}")
    if _UNSPEC in (family, protocol):
        return ProxyHead(is_local=True)
    layout = _ADDRESSES[family]
    if len(rest) < layout.size:
        raise ProxyHeadError(f"version 2: expected {layout.size} bytes of addresses, got {len(rest)}")
    secure = _has_tls(rest[layout.size :])
    if family == _UNIX:
        path = layout.unpack_from(rest)[1].partition(b"\0")[0].decode("utf-8", "surrogateescape")
        return ProxyHead(server=(path, None) if path else None, secure=secure)
    source, destination, client_port, server_port = layout.unpack_from(rest)
    address = IPv4Address if family == _INET else IPv6Address
    client, server = _host(address(source), client_port), _host(address(destination), server_port)
    return ProxyHead(client=client, server=server, secure=secure)


def _host(address: IPv4Address | IPv6Address, port: int) -> _Host:
    """Return an address; an IPv4 address that is mapped to IPv6 (RFC 4291, section 2.5.5.2) as IPv4."""
    return str(getattr(address, "ipv4_mapped", None) or address), port


def _has_tls(tlvs: bytes) -> bool:
    """Look whether the client has connected over TLS; all other TLVs are skipped, as 2.2 allows."""
    at = 0
    while at + _TLV.size <= len(tlvs):
        kind, size = _TLV.unpack_from(tlvs, at)
        at += _TLV.size
        if kind == _TLV_SSL and size and at < len(tlvs):
            return bool(tlvs[at] & _CLIENT_SSL)
        at += size
    return False
