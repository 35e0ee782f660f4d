"""Sockets that systemd has bound and passes to the server (sd_listen_fds(3)): from a unit ``atlas.socket``.

They take the place of ``host`` and ``port``. ``--bind fd://NAME`` chooses those of a name (``FileDescriptorName=``);
``--metrics fd://NAME`` chooses one for metrics.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterable, MutableMapping
from dataclasses import dataclass

from atlas.errors import StartupError
from atlas.server.configuration.settings import EXCLUSIVE, Settings, override
from atlas.server.sockets.bind_address import DescriptorAddress, parse_bind_address

__all__ = ["PassedSocket", "take_passed_sockets", "use_passed_sockets"]

_logger = logging.getLogger("atlas.server")

_FIRST = 3  # SD_LISTEN_FDS_START
_PID, _COUNT, _NAMES = "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"


@dataclass(frozen=True, slots=True)
class PassedSocket:
    """``fd``: the descriptor. ``name``: that of the unit, or its ``FileDescriptorName=``."""

    fd: int
    name: str


def use_passed_sockets(settings: Settings, environ: MutableMapping[str, str]) -> Settings:
    """Return the settings with the sockets that systemd has passed to this process as their addresses.

    :param settings: the settings. ``bind``, ``uds`` and ``fd`` take precedence; sockets that they leave out are named
        in the log.
    :param environ: the environment variables, see :func:`take_passed_sockets`.
    :raises StartupError: for a variable or a descriptor that is not as systemd makes it.
    """
    passed = take_passed_sockets(environ)
    if not passed:
        return settings
    for each in passed:
        _check(each)
    metrics = _metrics_of(settings, passed)
    if any(getattr(settings, name) not in (None, ()) for name in EXCLUSIVE):
        bind = tuple(address for text in settings.bind for address in _without_name(text, passed, "--bind"))
    else:
        bind = tuple(address for each in passed if (address := f"fd://{each.fd}") != metrics)
    _warn_of_unused(passed, {settings.fd, *(_descriptor(text) for text in (*bind, metrics or ""))})
    return override(settings, {"bind": bind, "metrics": metrics})


def _metrics_of(settings: Settings, passed: Iterable[PassedSocket]) -> str | None:
    """Return the address of ``metrics``, which is a passed socket if it is ``fd://NAME``."""
    if settings.metrics is None:
        return None
    return _without_name(settings.metrics, passed, "--metrics")[0]


def take_passed_sockets(environ: MutableMapping[str, str]) -> list[PassedSocket]:
    """Return the sockets that were passed to this process, and remove their variables: children do not get the sockets.

    :param environ: the environment variables ``LISTEN_PID``, ``LISTEN_FDS`` and ``LISTEN_FDNAMES``.
    :raises StartupError: if ``LISTEN_FDS`` is not a number.
    """
    if environ.get(_PID) != str(os.getpid()):
        return []
    count, names = environ.get(_COUNT, ""), environ.get(_NAMES, "").split(":")
    for name in (_PID, _COUNT, _NAMES):
        environ.pop(name, None)
    if not (count.isascii() and count.isdigit()):
        raise StartupError(f"{_COUNT}: expected the number of sockets that systemd passes, got {count!r}")
    passed = [PassedSocket(_FIRST + index, names[index] if index < len(names) else "") for index in range(int(count))]
    for each in passed:
        if _is_open(each.fd):
            os.set_inheritable(each.fd, False)
    return passed


def _is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def _check(passed: PassedSocket) -> None:
    """Tell a connection from a listening socket; what else may be wrong, the listener says."""
    try:
        sock = socket.socket(fileno=os.dup(passed.fd))
    except OSError:
        return
    with sock:
        try:
            sock.getpeername()
        except OSError:
            return
    raise StartupError(
        f"systemd has passed a connection as descriptor {passed.fd}, not a listening socket: the unit needs Accept=no"
    )


def _without_name(text: str, passed: Iterable[PassedSocket], flag: str) -> list[str]:
    """Return ``fd://NUMBER`` for each passed socket of the name in ``fd://NAME``; any other address as it is."""
    address = parse_bind_address(text)
    if not isinstance(address, DescriptorAddress) or isinstance(address.fd, int):
        return [text]
    found = [f"fd://{each.fd}" for each in passed if each.name == address.fd]
    if not found:
        names = ", ".join(dict.fromkeys(each.name for each in passed))
        raise StartupError(f"{flag} {text}: systemd has passed no socket of this name, but: {names}")
    return found


def _descriptor(text: str) -> int | str | None:
    address = parse_bind_address(text) if text else None
    return address.fd if isinstance(address, DescriptorAddress) else None


def _warn_of_unused(passed: Iterable[PassedSocket], used: set[int | str | None]) -> None:
    unused = [f"{each.fd} ({each.name})" for each in passed if each.fd not in used]
    if unused:
        message = "systemd has passed sockets that are not served: %s; --bind fd://NAME or fd://NUMBER serves them"
        _logger.warning(message, ", ".join(unused))
