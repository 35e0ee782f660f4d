"""The sockets that a server listens on. They are bound before the application starts, so that errors come first."""

from __future__ import annotations

import errno
import os
import socket
import sys
from collections.abc import Container, Iterable, Sequence
from typing import Any

from atlas.errors import StartupError
from atlas.server.configuration.settings import Settings
from atlas.server.sockets.bind_address import DescriptorAddress, TCPAddress, UnixAddress, parse_bind_address
from atlas.server.sockets.unix_socket import UnixSocket, bind_unix

__all__ = ["bind", "close", "describe", "describe_all", "inherited", "keep_files", "set_options"]

_KEEPALIVE_PROBES = 4
_MAX_KEEPALIVE = 32767  # seconds; Linux allows no more
_PORT_ATTEMPTS = 16  # free ports that are tried: one may be in use on another address of the same name
_ANY_IPV6 = "::"


def bind(settings: Settings) -> list[socket.socket]:
    """Return non-blocking sockets that listen as the settings say: ``bind``, ``fd``, ``uds``, or ``host`` and ``port``.

    A name with several addresses (``localhost``: 127.0.0.1 and ::1) gives several sockets on the same port.

    :raises StartupError: if an address cannot be used; the message names it and the flag.
    """
    sockets: list[socket.socket] = []
    try:
        if settings.fd is not None:
            sockets.append(_from_fd(settings.fd, settings.backlog, f"--fd {settings.fd}"))
        elif settings.uds is not None:
            sockets.append(_unix(settings.uds, settings, f"--uds {settings.uds}"))
        elif not settings.bind:
            sockets += _tcp(settings.host, settings.port, settings.backlog, None, ())
        for text in settings.bind:
            sockets += _bound_to(text, settings, sockets)
    except BaseException:
        close(sockets, kept=inherited(settings))
        raise
    return sockets


def _bound_to(text: str, settings: Settings, bound: Sequence[socket.socket]) -> list[socket.socket]:
    """Return the sockets of a value of ``--bind``, without those that are bound already."""
    origin = f"--bind {text}"
    match parse_bind_address(text):
        case TCPAddress(host, port):
            return _tcp(host, port, settings.backlog, origin, bound)
        case UnixAddress(path):
            return [_unix(path, settings, origin)]
        case DescriptorAddress(int(fd)):
            return [_from_fd(fd, settings.backlog, origin)]
        case DescriptorAddress(name):
            raise StartupError(f"{origin}: systemd has passed no socket of the name {name!r}")


def describe(sock: socket.socket, scheme: str = "http") -> str:
    """Return the address as text: ``http://127.0.0.1:8000``, ``http://[::1]:8000`` or ``unix:/run/atlas.sock``."""
    name = sock.getsockname()
    if sock.family == socket.AF_INET:
        return f"{scheme}://{name[0]}:{name[1]}"
    if sock.family == socket.AF_INET6:
        return f"{scheme}://[{name[0]}]:{name[1]}"
    path = os.fsdecode(name)
    return f"unix:{path.replace(chr(0), '@', 1)}" if path else "unix:(unnamed)"  # NUL: the abstract namespace


def describe_all(sockets: Iterable[socket.socket], scheme: str = "http") -> str:
    """Return the addresses of all sockets as text, with commas between them."""
    return ", ".join(describe(sock, scheme) for sock in sockets)


def set_options(sock: socket.socket, settings: Settings) -> None:
    """Set the options of TCP that the connections of a listening socket inherit.

    Nagle's algorithm (RFC 1122, section 4.2.3.4) is disabled: asyncio does that only on sockets whose ``proto`` is TCP;
    that of most is 0. Keepalive probes (RFC 9293, section 3.8.4) are enabled: without them the server cannot notice,
    while the application waits, that a client is gone which has closed its side before, or whose machine is gone. The
    first probe is sent after ``--timeout-write``; a client that answers none is given up after twice that time.
    """
    if sock.family not in (socket.AF_INET, socket.AF_INET6):
        return
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    idle = max(1, min(int(settings.timeout_write), _MAX_KEEPALIVE))
    options = {
        getattr(socket, "TCP_KEEPIDLE", getattr(socket, "TCP_KEEPALIVE", None)): idle,
        getattr(socket, "TCP_KEEPINTVL", None): max(1, idle // _KEEPALIVE_PROBES),
        getattr(socket, "TCP_KEEPCNT", None): _KEEPALIVE_PROBES,
    }
    for option, value in options.items():
        if option is not None:
            sock.setsockopt(socket.IPPROTO_TCP, option, value)


def close(sockets: Iterable[socket.socket], kept: Container[int] = ()) -> None:
    """Close the sockets, and remove the file of a Unix socket that :func:`bind` has made.

    :param kept: descriptors that stay open, so that :func:`bind` can use them again.
    """
    for sock in sockets:
        if sock.fileno() in kept:
            sock.detach()
        else:
            sock.close()


def inherited(settings: Settings) -> frozenset[int]:
    """Return the descriptors that the settings name."""
    addresses = map(parse_bind_address, settings.bind)
    numbers = (each.fd for each in addresses if isinstance(each, DescriptorAddress))
    return frozenset(fd for fd in (settings.fd, *numbers) if isinstance(fd, int))


def keep_files(sockets: Iterable[socket.socket]) -> None:
    """Let :func:`close` remove no file: this process is a child of the one that listens."""
    for sock in sockets:
        if isinstance(sock, UnixSocket):
            sock.path = None


# ------------------------------------------------------------------------------------------------------------ TCP


def _tcp(host: str, port: int, backlog: int, origin: str | None, bound: Iterable[socket.socket]) -> list[socket.socket]:
    """Return sockets for all addresses of a host.

    :param origin: the flag with its value, for error messages; None: ``--host`` and ``--port``.
    :param bound: sockets whose addresses are left out.
    """
    names = {(sock.family, sock.getsockname()) for sock in bound}
    attempts = _PORT_ATTEMPTS if port == 0 else 1
    for left in reversed(range(attempts)):
        try:
            return _same_port(host, port, backlog, origin, names)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or not left:
                raise StartupError(_bind_error(error, host, port, origin)) from None
    raise AssertionError("the last attempt has returned or raised")


def _same_port(
    host: str, port: int, backlog: int, origin: str | None, bound: set[tuple[socket.AddressFamily, Any]]
) -> list[socket.socket]:
    sockets: list[socket.socket] = []
    unavailable = OSError(errno.EADDRNOTAVAIL, "")
    addresses = [each for each in _addresses(host, port, origin) if each not in bound]
    for family, address in addresses:
        if port == 0 and sockets:  # all addresses use the port that the first one got
            address = (address[0], sockets[0].getsockname()[1], *address[2:])
        try:
            sockets.append(_tcp_socket(family, address, backlog))
        except OSError as error:
            if error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                unavailable = error  # localhost may resolve to an IPv6 address on a machine without IPv6
                continue
            close(sockets)
            raise
    if addresses and not sockets:
        raise unavailable
    return sockets


def _addresses(host: str, port: int, origin: str | None) -> list[tuple[socket.AddressFamily, tuple[object, ...]]]:
    """Return the addresses of a host. ``::`` is every interface, as in other servers: that of IPv4 too."""
    try:
        found = socket.getaddrinfo(
            None if host == _ANY_IPV6 else host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except (OSError, UnicodeError):
        raise StartupError(f"{origin or f'--host {host}'}: this name has no address") from None
    distinct = dict.fromkeys((family, address) for family, _, _, _, address in found)
    return sorted(distinct, key=lambda each: each[0] != socket.AF_INET)


def _tcp_socket(family: socket.AddressFamily, address: tuple[object, ...], backlog: int) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        if sys.platform != "win32":  # on Windows the option lets two servers share a port
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:  # IPv4 has a socket of its own: clients have no mapped addresses (RFC 4291)
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address)
        sock.listen(backlog)
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    return sock


def _bind_error(error: OSError, host: str, port: int, origin: str | None) -> str:
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    choose = f"choose another {'port' if origin else '--port'}"
    if error.errno == errno.EADDRINUSE:
        return f"{origin or address} is already in use: {choose} (0 means any free port)"
    if error.errno in (errno.EACCES, errno.EPERM):
        hint = f": {choose}, 1024 or more" if 0 < port < 1024 else ""
        return f"{origin or address}: permission denied{hint}"
    if error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
        return f"{origin or f'--host {host}'}: this machine has no such address"
    return f"{origin or address}: cannot listen: {error.strerror or error}"


# ---------------------------------------------------------------------------------------------------- Unix and fd


def _unix(path: str, settings: Settings, origin: str) -> UnixSocket:
    return bind_unix(path, int(str(settings.uds_mode), 8), settings.backlog, origin)


def _from_fd(fd: int, backlog: int, origin: str) -> socket.socket:
    try:
        sock = socket.socket(fileno=fd)
    except OSError as error:
        reason = "is not open" if error.errno == errno.EBADF else "is not a socket"
        raise StartupError(f"{origin}: this descriptor {reason}") from None
    if sock.type != socket.SOCK_STREAM:
        sock.detach()
        raise StartupError(f"{origin}: this descriptor is not a stream socket")
    try:
        sock.listen(backlog)
        sock.setblocking(False)
    except OSError as error:
        sock.detach()
        raise StartupError(f"{origin}: cannot listen: {error.strerror or error}") from None
    return sock
