"""Which names this site goes by: a request for another one is refused.

A ``host`` field is the client's to choose. Whatever builds an address from it (a link in a mail, a redirect, a cache
key) would carry an attacker's name (RFC 9110 17.1).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from atlas.errors import StartupError
from atlas.web.adapters import any_mode
from atlas.web.errors import BadRequest
from atlas.web.middleware.options import listed
from atlas.web.routing import caller_place

if TYPE_CHECKING:
    from atlas.web.application import Application
    from atlas.web.request import RequestHead

__all__ = ["TrustedHosts", "host_name"]

# A registered name or an address, and a port (RFC 3986 3.2.2). What else that grammar allows is in no real host name.
_HOST = re.compile(r"([A-Za-z0-9_](?:[A-Za-z0-9_.\-]{0,253})|\[[0-9A-Fa-f:.]{2,45}\])(?::([0-9]{0,5}))?")
_PATTERN = re.compile(r"(?:\*\.)?[a-z0-9_](?:[a-z0-9_.\-]*[a-z0-9_\-])?|\[[0-9a-f:.]+\]")


def host_name(host: str) -> str | None:
    """The name in a ``host`` field: lower-case, without its port and without a dot at the end; None if it is none."""
    match = _HOST.fullmatch(host)
    return match[1].lower().removesuffix(".") if match is not None else None


class TrustedHosts:
    """Answers 400 to requests for hosts that are not on the list. The port does not count.

    :param hosts: names such as ``example.com``; ``*.example.com`` stands for every name below it, but not for
        ``example.com`` itself; ``*`` for any well-formed name. None means the application's ``allowed_hosts``.
    :raises TypeError: for a string where a list belongs. :raises ValueError: for what is no host name.
    """

    def __init__(self, hosts: Iterable[str] | None = None) -> None:
        self._place = caller_place()
        self._given = hosts is not None
        self._learn(hosts or ())

    def bind(self, application: Application) -> None:
        """Take the application's ``allowed_hosts``, if no list was given."""
        if self._given:
            return
        hosts = application.config.allowed_hosts
        if not hosts:
            raise StartupError(f"{self._place}: TrustedHosts: no hosts: give it a list, or set allowed_hosts")
        try:
            self._learn(hosts)
        except (TypeError, ValueError) as error:
            raise StartupError(f"{self._place}: {error}") from None

    def _learn(self, hosts: Iterable[str]) -> None:
        names = {_check(host) for host in listed("TrustedHosts: hosts", hosts, "example.com")}
        self._any = "*" in names
        self._names = frozenset(name for name in names if not name.startswith("*"))
        self._endings = tuple(name[1:] for name in names if name.startswith("*."))

    @any_mode(waits=False)
    def before(self, request: RequestHead) -> None:
        """Look at the name that the request asks for.

        :raises BadRequest: if it is missing, malformed, or not on the list.
        """
        host = request.headers.get("host", "")
        if host in self._names:  # nearly always: neither upper case nor a port
            return
        name = host_name(host)
        if name is None or not (self._any or name in self._names or self._is_below(name)):
            raise BadRequest("this server does not answer for the host that was asked for")

    def _is_below(self, name: str) -> bool:
        return bool(self._endings) and name.endswith(self._endings) and not name.startswith(".")


def _check(host: str) -> str:
    name = host.lower()
    if name != "*" and not _PATTERN.fullmatch(name):
        raise ValueError(
            f"TrustedHosts: expected a name such as 'example.com' or '*.example.com', without a port, got {host!r}"
        )
    return name
