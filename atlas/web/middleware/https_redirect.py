"""Plain HTTP sent on to HTTPS."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from atlas.web.adapters import any_mode
from atlas.web.errors import BadRequest
from atlas.web.middleware.options import listed, whole_number
from atlas.web.middleware.trusted_hosts import host_name
from atlas.web.response import RedirectResponse, Response

if TYPE_CHECKING:
    from atlas.web.request import RequestHead

__all__ = ["HTTPSRedirect"]


class HTTPSRedirect:
    """Redirects what did not come by TLS to the same address with ``https``; method and body stay (RFC 9110 15.4.9).

    Behind a proxy that ends TLS the server has to believe its ``x-forwarded-proto``; else this goes round in circles.

    :param permanent: 308, which browsers remember, or 307.
    :param port: the port of the HTTPS side; None for the usual one.
    :param exempt: paths that are answered without TLS too, with all that is below those that end in ``/``: health
        checks, ``/.well-known/acme-challenge/``.
    :raises TypeError: for a string where a list belongs. :raises ValueError: for a path without its slash, or no port.
    """

    def __init__(self, *, permanent: bool = True, port: int | None = None, exempt: Iterable[str] = ()) -> None:
        paths = listed("HTTPSRedirect: exempt", exempt, "/health")
        for path in paths:
            if not path.startswith("/"):
                raise ValueError(f"HTTPSRedirect: exempt: expected paths that start with '/', got {path!r}")
        if port is not None:
            whole_number("HTTPSRedirect: port", port, 1, 65535)
        self._status = 308 if permanent else 307
        self._port = "" if port in (None, 443) else f":{port}"
        self._paths = frozenset(paths)
        self._folders = tuple(path for path in paths if path.endswith("/"))

    @any_mode(waits=False)
    def before(self, request: RequestHead) -> Response | None:
        """Redirect, unless the request is secure or exempt.

        :raises BadRequest: for a host that could not stand in an address.
        """
        if request.is_secure or self._is_exempt(request.path):
            return None
        name = host_name(request.host)
        if name is None:
            raise BadRequest("the host field is malformed")
        query = request.query_string.decode("latin-1")
        path = request.raw_path.decode("latin-1")
        return RedirectResponse(f"https://{name}{self._port}{path}" + (f"?{query}" if query else ""), self._status)

    def _is_exempt(self, path: str) -> bool:
        return path in self._paths or (bool(self._folders) and path.startswith(self._folders))
