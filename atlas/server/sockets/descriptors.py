"""The limit of file descriptors (``RLIMIT_NOFILE``, ``ulimit -n``), and how many connections it allows."""

from __future__ import annotations

import logging
import resource

__all__ = ["connection_limit", "log_connection_limit", "raise_soft_limit"]

_logger = logging.getLogger("atlas.server")

_PER_CONNECTION = 2  # a socket, and the file that is sent on it
_RESERVED = 64  # descriptors for the event loop, listening sockets, logs, databases
_FEW = 1000  # connections; fewer are worth a warning
_NO_LIMIT = 1 << 30


def raise_soft_limit() -> None:
    """Raise the soft limit of descriptors to the hard limit, as far as the system allows it.

    The soft limit is low for the sake of programs that use ``select(2)``, which cannot handle more than 1,024.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == hard or hard == resource.RLIM_INFINITY:  # macOS: "unlimited", but setrlimit(2) refuses that
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (OSError, ValueError) as error:
        _logger.debug("the limit of open files stays at %d: %s", soft, error)


def connection_limit(setting: int | None) -> int:
    """Return the maximum number of open connections.

    Each may need a second descriptor, for the file that it is sent. Some are reserved for other purposes, but at most
    half of all.

    :param setting: the value of ``--limit-connections``. It is reduced if the soft limit of descriptors is too low for
        it; None means as many as that limit allows.
    """
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return setting or _NO_LIMIT
    available = max(1, (soft - min(_RESERVED, soft // 2)) // _PER_CONNECTION)
    return available if setting is None else min(setting, available)


def log_connection_limit(setting: int | None, limit: int) -> None:
    """Log how many connections fit, if they are fewer than the settings ask for, or few.

    :param setting: the value of ``--limit-connections``.
    :param limit: what :func:`connection_limit` returned for it.
    """
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if setting is not None and limit < setting:
        message = "--limit-connections %d is reduced to %d: the limit of open files is %d (ulimit -n)"
        _logger.warning(message, setting, limit, soft)
    elif setting is None and limit < _FEW:
        _logger.warning("at most %d connections fit: the limit of open files is %d (ulimit -n)", limit, soft)
