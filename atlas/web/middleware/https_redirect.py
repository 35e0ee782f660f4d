"""Redirects from HTTP to HTTPS."""

from __future__ import annotations

from collections.abc import Iterable

from atlas.web.adapters import any_mode
from atlas.web.exceptions import BadRequest
from atlas.web.middleware.trusted_hosts import host_name
from atlas.web.option_checks import ExemptPaths, check_number
from atlas.web.requests.request_head import RequestHead
from atlas.web.responses.response import RedirectResponse, Response

__all__ = ["HTTPSRedirect"]


class HTTPSRedirect:
    """Redirects a request without TLS to the same URL with ``https``; method and body stay (RFC 9110 15.4.9).

    Behind a proxy that terminates TLS the server has to trust the proxy's ``x-forwarded-proto``; otherwise the redirect
    never ends.

    :param permanent: whether to answer 308, which browsers cache, or 307; True by default.
    :param port: the port of the HTTPS server; None, the default, for 443.
    :param exempt: paths that are answered without TLS, such as health checks; a path that ends in ``/`` includes all
        paths below it, as for ``/.well-known/acme-challenge/``. Empty by default.
    :raises TypeError: for a string where a list is expected.
    :raises ValueError: for a path that does not start with "/", or an invalid port.
    """

    def __init__(self, *, permanent: bool = True, port: int | None = None, exempt: Iterable[str] = ()) -> None:
        if port is not None:
            check_number("HTTPSRedirect: port", port, 1, 65535)
        self._status = 308 if permanent else 307
        self._port = "" if port in (None, 443) else f":{port}"
        self._exempt = ExemptPaths("HTTPSRedirect", exempt)

    @any_mode(waits=False)
    def before(self, request: RequestHead) -> Response | None:
        """Redirect the request, unless it is secure or exempt.

        :returns: the redirect; None for a request that is secure or exempt.
        :raises BadRequest: for a malformed ``host`` field.
        """
        if request.is_secure or request.path in self._exempt:
            return None
        name = host_name(request.host)
        if name is None:
            raise BadRequest("the host field is malformed")
        query = request.query_string.decode("latin-1")
        path = request.raw_path.decode("latin-1")
        return RedirectResponse(f"https://{name}{self._port}{path}" + (f"?{query}" if query else ""), self._status)
