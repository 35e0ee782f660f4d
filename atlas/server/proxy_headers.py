"""Reads what trusted proxies say of a request: the client's address, the scheme, the host and a path prefix.

Each proxy appends the address of its own peer to ``X-Forwarded-For`` (or an element to ``Forwarded``, RFC 7239). The
list is read from its right end: the addresses of trusted proxies are skipped, and the first other address is the
client. What stands to the left of it was sent by the client itself, and is ignored.

Only the fields of the setting ``forwarded_fields`` are read. A proxy overwrites or extends the fields that it knows and
passes all others on as the client sent them, so that a field which the proxy does not set must not be believed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from atlas.server.configuration.setting_types import ANY_PROXY, UNIX_SOCKET
from atlas.server.configuration.settings import Settings

__all__ = ["Forwarded", "ProxyHeaders", "make_proxy_headers"]

Address = IPv4Address | IPv6Address
Client = tuple[str, int]
Fields = Sequence[tuple[bytes, bytes]]

_FORWARDED = "forwarded"
_NAMES = {
    "for": b"x-forwarded-for",
    "proto": b"x-forwarded-proto",
    "host": b"x-forwarded-host",
    "port": b"x-forwarded-port",
    "prefix": b"x-forwarded-prefix",
    _FORWARDED: b"forwarded",
}
_SCHEMES = frozenset({"http", "https"})
_DEFAULT_PORTS = {"http": 80, "https": 443}
_CACHED = 512  # results that are kept
_CACHED_SIZE = 256  # bytes of the fields of a result that is kept

# RFC 7239, section 4: forwarded-pair = token "=" ( token / quoted-string )
_PAIR = re.compile(r"""\s*([!#$%&'*+\-.^_`|~0-9A-Za-z]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s";,]*))\s*(;|,|\Z)""")
_HOST = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z._\-]+)(?::\d{1,5})?")  # RFC 3986, 3.2.2; without exotic reg-names
_PREFIX = re.compile(r"(?:/[0-9A-Za-z._~!$&'()*+,;=:@\-]+)+")


@dataclass(frozen=True, slots=True)
class Forwarded:
    """What a trusted proxy says of a request; None where it says nothing.

    ``client``: address and port (0 if it is unknown) of the client. ``scheme``: ``http`` or ``https``. ``host``: the
    value of the ``host`` field. ``prefix``: a path that begins with ``/`` and does not end with it.
    """

    client: Client | None = None
    scheme: str | None = None
    host: bytes | None = None
    prefix: str | None = None

    def with_host(self, headers: Fields) -> list[tuple[bytes, bytes]]:
        """Return the header fields of a request with ``host`` as their only ``host`` field, first."""
        assert self.host is not None
        return [(b"host", self.host), *(field for field in headers if field[0] != b"host")]


def make_proxy_headers(settings: Settings) -> ProxyHeaders | None:
    """Return the reader of the settings' fields; None if ``proxy_headers`` is off or no proxy is trusted."""
    if not settings.proxy_headers or not settings.forwarded_allow_ips:
        return None
    return ProxyHeaders(settings.forwarded_allow_ips, settings.forwarded_fields)


class ProxyHeaders:
    """Reads the fields of trusted proxies.

    :param trusted: the proxies: addresses, networks, ``unix`` (every peer of a Unix socket) or ``*`` (every peer).
    :param fields: ``for``, ``proto``, ``host``, ``port`` and ``prefix`` (of ``X-Forwarded-``), or ``forwarded``.
    """

    def __init__(self, trusted: Iterable[str], fields: Iterable[str]) -> None:
        names = set(trusted)
        self._all = ANY_PROXY in names
        self._unix = self._all or UNIX_SOCKET in names
        self._networks = [ip_network(name, strict=False) for name in names - {ANY_PROXY, UNIX_SOCKET}]
        self._fields = {_NAMES[field]: field for field in fields}
        self._results: dict[tuple[tuple[str, bytes], ...], Forwarded] = {}

    def trusts(self, client: tuple[str, int] | None) -> bool:
        """Return whether a peer is a trusted proxy.

        :param client: its address and port; None for the peer of a Unix socket.
        """
        if client is None:
            return self._unix
        address = _address(client[0])
        return address is not None and self._is_trusted(address)

    def read(self, headers: Fields) -> Forwarded | None:
        """Return what the fields of a request from a trusted proxy say; None if it has none of them.

        :param headers: the header fields; names in lower case.
        """
        values: dict[str, bytes] = {}
        for name, value in headers:
            field = self._fields.get(name)
            if field is not None:  # a field that comes several times is one list (RFC 9110, section 5.3)
                values[field] = values[field] + b"," + value if field in values else value
        if not values:
            return None
        key = tuple(values.items())
        result = self._results.get(key)
        if result is None:
            result = self._parse({field: value.decode("latin-1") for field, value in key})
            if sum(len(value) for value in values.values()) <= _CACHED_SIZE:
                if len(self._results) >= _CACHED:
                    self._results.clear()
                self._results[key] = result
        return result

    def _parse(self, values: dict[str, str]) -> Forwarded:
        if _FORWARDED in values:
            return self._parse_forwarded(values[_FORWARDED])
        hops = _items(values.get("for", ""))
        at, client = self._find_client(hops)
        scheme = _scheme(_of_hop(_items(values.get("proto", "")), at, len(hops)))
        host = _of_hop(_items(values.get("host", "")), at, len(hops))
        port = _of_hop(_items(values.get("port", "")), at, len(hops))
        prefix = values.get("prefix", "").strip().rstrip("/")
        return Forwarded(
            client,
            scheme,
            _host(host, port, scheme),
            prefix if _PREFIX.fullmatch(prefix) and ".." not in prefix else None,
        )

    def _parse_forwarded(self, value: str) -> Forwarded:
        elements = _forwarded_elements(value)
        at, client = self._find_client([element.get("for", "") for element in elements])
        if not elements:
            return Forwarded()
        element = elements[min(at, len(elements) - 1)]
        scheme = _scheme(element.get("proto"))
        return Forwarded(client, scheme, _host(element.get("host"), None, scheme))

    def _find_client(self, hops: list[str]) -> tuple[int, Client | None]:
        """Walk from the right past trusted proxies.

        :returns: the position of the client, and its address; the number of hops and None if no hop is an address.
        """
        found: tuple[int, Client | None] = (len(hops), None)
        for at in range(len(hops) - 1, -1, -1):
            address, port = _split(hops[at])
            if address is None:
                break  # unknown, obfuscated (RFC 7239, section 6.3) or wrong: what is left of it has no known origin
            found = (at, (str(address), port))
            if not self._is_trusted(address):
                break
        return found

    def _is_trusted(self, address: Address) -> bool:
        return self._all or any(address in network for network in self._networks)


def _items(text: str) -> list[str]:
    """Return the elements of a list; empty ones do not count (RFC 9110, section 5.6.1.2)."""
    return [item for part in text.split(",") if (item := part.strip())]


def _of_hop(items: list[str], at: int, hops: int) -> str | None:
    """Return the item that belongs to a hop: that at its position in lists of equal length, else the last proxy's."""
    if not items:
        return None
    return items[at] if len(items) == hops and at < hops else items[-1]


def _address(text: str) -> Address | None:
    """Return an address; an IPv4 address that is mapped to IPv6 (RFC 4291, section 2.5.5.2) as IPv4."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _split(hop: str) -> tuple[Address | None, int]:
    """Split ``address``, ``address:port``, ``[IPv6]`` or ``[IPv6]:port``; the port is 0 if there is none."""
    address = _address(hop)
    if address is not None:
        return address, 0
    if hop.startswith("["):
        host, bracket, port = hop[1:].partition("]")
        port = port.removeprefix(":") if bracket else "?"
    else:
        host, _, port = hop.rpartition(":")
    number = _port(port) if port else 0
    return (None, 0) if number is None else (_address(host), number)


def _port(text: str) -> int | None:
    if not (len(text) <= 5 and text.isascii() and text.isdigit()):
        return None
    number = int(text)
    return number if number <= 65535 else None


def _scheme(text: str | None) -> str | None:
    scheme = text.lower() if text else None
    return scheme if scheme in _SCHEMES else None


def _host(host: str | None, port: str | None, scheme: str | None) -> bytes | None:
    """Return the value of ``host``, with a port unless it is the scheme's own."""
    if not host or not _HOST.fullmatch(host):
        return None
    number = _port(port) if port else None
    if number and number != _DEFAULT_PORTS[scheme or "http"] and ":" not in host.rpartition("]")[2]:
        host = f"{host}:{number}"
    return host.encode("ascii")


def _forwarded_elements(text: str) -> list[dict[str, str]]:
    """Return the elements of ``Forwarded``, each with its pairs (RFC 7239, section 4).

    A proxy appends its element to what a client has sent. What is malformed is dropped with all to the left of it,
    which has no known origin then: a client must not hide the element of the proxy behind a quote of its own.
    """
    elements: list[dict[str, str]] = [{}]
    at = 0
    while at < len(text):
        match = _PAIR.match(text, at)
        name = match[1].lower() if match is not None else ""
        if match is None or name in elements[-1]:  # each parameter occurs once in an element
            elements = [{}]
            at = text.find(",", at) + 1 or len(text)
            continue
        elements[-1][name] = re.sub(r"\\(.)", r"\1", match[2]) if match[2] is not None else match[3]
        at = match.end()
        if match[4] == ",":
            elements.append({})
    return elements if elements != [{}] else []
