"""The sockets that a server listens on. They are bound before the application starts, so that errors come first."""

from __future__ import annotations

import errno
import os
import socket
import stat
import sys
from collections.abc import Iterable
from pathlib import Path

from atlas.errors import StartupError
from atlas.server.configuration.settings import Settings

__all__ = ["bind", "close", "describe", "keep_files", "set_options"]

_KEEPALIVE_PROBES = 4
_MAX_KEEPALIVE = 32767  # seconds; Linux allows no more
_UNIX_MODE = 0o666  # a proxy usually runs as another user


def bind(settings: Settings) -> list[socket.socket]:
    """Return non-blocking sockets that listen as the settings ``fd``, ``uds`` or ``host`` and ``port`` say.

    A name with several addresses (``localhost``: 127.0.0.1 and ::1) gives several sockets on the same port.

    :raises StartupError: if the address cannot be used; the message names it and the flag.
    """
    if settings.fd is not None:
        return [_from_fd(settings.fd, settings.backlog)]
    if settings.uds is not None:
        return [_unix(settings.uds, settings.backlog)]
    return _tcp(settings.host, settings.port, settings.backlog)


def describe(sock: socket.socket, scheme: str = "http") -> str:
    """Return the address as text: ``http://127.0.0.1:8000``, ``http://[::1]:8000`` or ``unix:/run/atlas.sock``."""
    name = sock.getsockname()
    if sock.family == socket.AF_INET:
        return f"{scheme}://{name[0]}:{name[1]}"
    if sock.family == socket.AF_INET6:
        return f"{scheme}://[{name[0]}]:{name[1]}"
    return f"unix:{os.fsdecode(name)}" if name else "unix:(unnamed)"


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


def close(sockets: Iterable[socket.socket]) -> None:
    """Close the sockets, and remove the file of a Unix socket that :func:`bind` has made."""
    for sock in sockets:
        sock.close()


def keep_files(sockets: Iterable[socket.socket]) -> None:
    """Let :func:`close` remove no file: this process is a child of the one that listens."""
    for sock in sockets:
        if isinstance(sock, _UnixSocket):
            sock.path = None


class _UnixSocket(socket.socket):
    """A Unix socket whose file is removed when it is closed. The file of a socket from ``--fd`` is not removed."""

    path: Path | None = None

    def close(self) -> None:
        path, self.path = self.path, None
        super().close()
        if path is not None:
            path.unlink(missing_ok=True)


# ------------------------------------------------------------------------------------------------------------ TCP


def _tcp(host: str, port: int, backlog: int) -> list[socket.socket]:
    sockets: list[socket.socket] = []
    unavailable: OSError | None = None
    for family, address in _addresses(host, port):
        if port == 0 and sockets:  # all addresses use the port that the first one got
            address = (address[0], sockets[0].getsockname()[1], *address[2:])
        try:
            sockets.append(_tcp_socket(family, address, backlog))
        except OSError as error:
            if error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                unavailable = error  # localhost may resolve to an IPv6 address on a machine without IPv6
                continue
            close(sockets)
            raise StartupError(_bind_error(error, host, port)) from None
    if not sockets:
        raise StartupError(_bind_error(unavailable or OSError(errno.EADDRNOTAVAIL, ""), host, port))
    return sockets


def _addresses(host: str, port: int) -> list[tuple[socket.AddressFamily, tuple[object, ...]]]:
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError):
        raise StartupError(f"--host {host}: this name has no address") from None
    distinct = dict.fromkeys((family, address) for family, _, _, _, address in found)
    return sorted(distinct, key=lambda each: each[0] != socket.AF_INET)


def _tcp_socket(family: socket.AddressFamily, address: tuple[object, ...], backlog: int) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        if sys.platform != "win32":  # on Windows the option lets two servers share a port
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:  # else "::" would also bind the IPv4 port
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address)
        sock.listen(backlog)
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    return sock


def _bind_error(error: OSError, host: str, port: int) -> str:
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    if error.errno == errno.EADDRINUSE:
        return f"{address} is already in use: choose another --port (0 means any free port)"
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"{address}: permission denied: choose a --port of 1024 or more"
    if error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
        return f"--host {host}: this machine has no such address"
    return f"{address}: cannot listen: {error.strerror or error}"


# ---------------------------------------------------------------------------------------------------- Unix and fd


def _unix(name: str, backlog: int) -> socket.socket:
    # absolute() would keep "..", and a socket address has at most 107 bytes.
    path = Path(os.path.abspath(name))  # noqa: PTH100
    _remove_stale(path)
    sock = _UnixSocket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.bind(str(path))
        path.chmod(_UNIX_MODE)
        sock.listen(backlog)
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        raise StartupError(f"--uds {name}: cannot listen: {error.strerror or error}") from None
    sock.path = path
    return sock


def _remove_stale(path: Path) -> None:
    """Remove the socket file of a server that has ended.

    :raises StartupError: if a server accepts connections there, or the file is not a socket.
    """
    try:
        mode = path.lstat().st_mode
    except OSError:
        return  # there is no file; a missing directory is an error of bind(2)
    if not stat.S_ISSOCK(mode):
        raise StartupError(f"--uds {path}: this file exists and is not a socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
            return
        except OSError as error:
            raise StartupError(f"--uds {path}: cannot be replaced: {error.strerror or error}") from None
    raise StartupError(f"--uds {path} is already in use: another server listens on it")


def _from_fd(fd: int, backlog: int) -> socket.socket:
    try:
        sock = socket.socket(fileno=fd)
    except OSError as error:
        reason = "is not open" if error.errno == errno.EBADF else "is not a socket"
        raise StartupError(f"--fd {fd}: this descriptor {reason}") from None
    if sock.type != socket.SOCK_STREAM:
        sock.detach()
        raise StartupError(f"--fd {fd}: this descriptor is not a stream socket")
    try:
        sock.listen(backlog)
        sock.setblocking(False)
    except OSError as error:
        sock.detach()
        raise StartupError(f"--fd {fd}: cannot listen: {error.strerror or error}") from None
    return sock
