"""Trusted hosts: requests for other host names are refused.

A client can send any ``host`` field. A URL that is built from it (a link in a mail, a redirect, a cache key) would
contain the name of an attacker (RFC 9110 17.1).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from atlas.errors import StartupError
from atlas.web.adapters import any_mode
from atlas.web.call_site import caller_place
from atlas.web.exceptions import BadRequest
from atlas.web.interfaces import ApplicationInterface
from atlas.web.option_checks import ExemptPaths, check_strings
from atlas.web.requests.request_head import RequestHead

__all__ = ["TrustedHosts", "host_name"]

# A registered name or an address, and a port (RFC 3986 3.2.2), without the characters that host names do not have.
_HOST = re.compile(r"([A-Za-z0-9_](?:[A-Za-z0-9_.\-]{0,253})|\[[0-9A-Fa-f:.]{2,45}\])(?::([0-9]{0,5}))?")
_PATTERN = re.compile(r"(?:\*\.)?[a-z0-9_](?:[a-z0-9_.\-]*[a-z0-9_\-])?|\[[0-9a-f:.]+\]")


def host_name(host: str) -> str | None:
    """Return the name in a ``host`` field.

    :param host: the value of the field.
    :returns: the name in lower case, without port and final dot; None for a malformed value.
    """
    match = _HOST.fullmatch(host)
    return match[1].lower().removesuffix(".") if match is not None else None


class TrustedHosts:
    """Answers 400 to requests for hosts that are not in a list. The port is ignored.

    :param hosts: names such as ``example.com``; ``*.example.com`` for all its subdomains, but not for ``example.com``
        itself; ``*`` for any well-formed name. None, the default, for ``allowed_hosts`` of the configuration.
    :param exempt: paths that are answered for any host, such as health checks, whose ``host`` is an address; a path
        that ends in ``/`` includes all paths below it. Empty by default.
    :raises TypeError: for a string where a list is expected.
    :raises ValueError: for an invalid host name, or a path that does not start with "/".
    """

    def __init__(self, hosts: Iterable[str] | None = None, *, exempt: Iterable[str] = ()) -> None:
        self._place = caller_place()
        self._given = hosts is not None
        self._exempt = ExemptPaths("TrustedHosts", exempt)
        self._set_hosts(hosts or ())

    def bind(self, application: ApplicationInterface) -> None:
        """Use ``allowed_hosts`` of the configuration, if no hosts were passed.

        :param application: the application.
        :raises StartupError: if the configuration has none either, or an invalid one.
        """
        if self._given:
            return
        hosts = application.config.allowed_hosts
        if not hosts:
            raise StartupError(f"{self._place}: TrustedHosts: no hosts: give it a list, or set allowed_hosts")
        try:
            self._set_hosts(hosts)
        except (TypeError, ValueError) as error:
            raise StartupError(f"{self._place}: {error}") from None

    def _set_hosts(self, hosts: Iterable[str]) -> None:
        names = {_check(host) for host in check_strings("TrustedHosts: hosts", hosts, "example.com")}
        self._any = "*" in names
        self._names = frozenset(name for name in names if not name.startswith("*"))
        self._endings = tuple(name[1:] for name in names if name.startswith("*."))

    @any_mode(waits=False)
    def before(self, request: RequestHead) -> None:
        """Check the ``host`` field of the request.

        :raises BadRequest: if it is missing, malformed, or not in the list.
        """
        host = request.headers.get("host", "")
        if host in self._names:  # the common case: in lower case and without port
            return
        name = host_name(host)
        if name is None or not (self._any or name in self._names or self._is_below(name)):
            if request.path in self._exempt:
                return
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
