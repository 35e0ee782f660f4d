"""Cross-origin resource sharing: lets scripts of other origins read responses.

Sources: the Fetch standard, "CORS protocol", and the Private Network Access draft. CORS is enforced by browsers: it
does not restrict other clients.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from atlas.web.adapters import any_mode
from atlas.web.option_checks import check_number, check_strings
from atlas.web.requests.request_head import RequestHead
from atlas.web.responses.header_fields import put_field, vary_on
from atlas.web.responses.response import Response, TextResponse

__all__ = ["CORS", "check_origin"]

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_ORIGIN = re.compile(r"[a-z][a-z0-9+.\-]*://(?:[a-z0-9_.\-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?")
_PREFLIGHT_VARY = "origin, access-control-request-method, access-control-request-headers"


class CORS:
    """Lets scripts of other origins read the responses, and answers preflight requests.

    :param allow_origins: origins such as ``https://app.example.com``; ``["*"]`` for every origin. Empty by default.
    :param allow_origin_regex: a pattern that matches the whole of an allowed origin; None, the default, for none.
    :param allow_methods: methods that a preflight allows, GET, HEAD and POST by default; ``["*"]`` for the common ones.
    :param allow_headers: request fields that a preflight allows beside the safelisted ones; ``["*"]`` for those that
        the preflight asks for. Empty by default.
    :param allow_credentials: whether requests may carry cookies and credentials; not together with ``*``. False by
        default.
    :param expose_headers: response fields that a script may read beside the safelisted ones. Empty by default.
    :param max_age: seconds for which a browser may cache a preflight, 600 by default.
    :param allow_private_network: whether public sites may send requests to this server in a private network; False by
        default.
    :raises TypeError: for a string where a list is expected.
    :raises ValueError: for an invalid origin, method or field name, and for ``*`` together with credentials.
    """

    def __init__(
        self,
        allow_origins: Iterable[str] = (),
        *,
        allow_origin_regex: str | re.Pattern[str] | None = None,
        allow_methods: Iterable[str] = ("GET", "HEAD", "POST"),
        allow_headers: Iterable[str] = (),
        allow_credentials: bool = False,
        expose_headers: Iterable[str] = (),
        max_age: int = 600,
        allow_private_network: bool = False,
    ) -> None:
        origins = set(check_strings("CORS: allow_origins", allow_origins, "https://example.com"))
        self._any_origin = "*" in origins
        self._origins = frozenset(check_origin("CORS", origin) for origin in origins - {"*"})
        try:
            self._regex = re.compile(allow_origin_regex) if allow_origin_regex is not None else None
        except re.error as error:
            raise ValueError(f"CORS: allow_origin_regex: {allow_origin_regex!r}: {error}") from None
        headers = set(check_strings("CORS: allow_headers", allow_headers, "x-name"))
        exposed = set(check_strings("CORS: expose_headers", expose_headers, "x-name"))
        if allow_credentials and (self._any_origin or "*" in exposed):
            raise ValueError("CORS: '*' and allow_credentials exclude each other; name the origins and fields")
        self._credentials = allow_credentials
        self._private_network = allow_private_network
        self._any_header = "*" in headers
        self._exposed = ", ".join(sorted(_tokens("expose_headers", exposed))).encode("ascii")
        methods = set(check_strings("CORS: allow_methods", allow_methods, "GET"))
        verbs = set(_METHODS) if "*" in methods else {method.upper() for method in _tokens("allow_methods", methods)}
        self._preflight = {"access-control-allow-methods": ", ".join(sorted(verbs))}
        self._preflight["access-control-max-age"] = str(check_number("CORS: max_age", max_age, 0))
        if headers and not self._any_header:
            self._preflight["access-control-allow-headers"] = ", ".join(sorted(_tokens("allow_headers", headers)))

    @any_mode(waits=False)
    def before(self, request: RequestHead) -> Response | None:
        """Answer a preflight request; it does not reach the controller.

        :param request: the request.
        :returns: 204, or 403 for an origin that is not allowed; None for any other request.
        """
        if request.method != "OPTIONS":
            return None
        headers = request.headers
        origin = headers.get("origin")
        if origin is None or "access-control-request-method" not in headers:
            return None  # OPTIONS, but not a preflight
        if not self._allows(origin):
            return TextResponse(f"the origin {origin} is not allowed here\n", 403, {"vary": _PREFLIGHT_VARY})
        response = Response(b"", 204, self._preflight, content_type="")
        response.headers["vary"] = _PREFLIGHT_VARY
        wanted = headers.get("access-control-request-headers")
        if self._any_header and wanted:
            response.headers["access-control-allow-headers"] = wanted
        if self._private_network and headers.get("access-control-request-private-network") == "true":
            response.headers["access-control-allow-private-network"] = "true"
        return response

    @any_mode(waits=False)
    def after(self, request: RequestHead, response: Response) -> None:
        """Allow the origin to read the response, and add the origin to ``vary``."""
        if not self._any_origin:
            # Also without an origin: a cache must not serve this response to a site (Fetch, "CORS and HTTP caches").
            vary_on(response, b"origin")
        origin = request.headers.get("origin")
        if origin is None or not self._allows(origin):
            return
        put_field(response, b"access-control-allow-origin", b"*" if self._any_origin else origin.encode("latin-1"))
        if self._credentials:
            put_field(response, b"access-control-allow-credentials", b"true")
        if self._exposed:
            put_field(response, b"access-control-expose-headers", self._exposed)

    def _allows(self, origin: str) -> bool:
        if self._any_origin or origin in self._origins:
            return True
        return self._regex is not None and self._regex.fullmatch(origin) is not None


def check_origin(who: str, origin: str) -> str:
    """Check that an origin is serialized as browsers do it (RFC 6454 6.2): no default port, host in lower case.

    :param who: the middleware, for messages.
    :param origin: the origin.
    :returns: the origin.
    :raises ValueError: for anything else.
    """
    if not _ORIGIN.fullmatch(origin):
        raise ValueError(f"{who}: expected an origin such as 'https://example.com', without a path, got {origin!r}")
    for scheme, port in (("http", ":80"), ("https", ":443")):
        if origin.startswith(f"{scheme}://") and origin.endswith(port):
            raise ValueError(f"{who}: browsers leave the usual port out; write {origin.removesuffix(port)!r}")
    return origin


def _tokens(setting: str, names: set[str]) -> set[str]:
    for name in names:
        if not _TOKEN.fullmatch(name):
            raise ValueError(f"CORS: {setting}: {name!r} is no name (RFC 9110 5.6.2)")
    return names
