"""The answer where no route matches: 404, 405, or a redirect to the path with the other trailing slash."""

from __future__ import annotations

from atlas.web.exceptions import HTTPException, MethodNotAllowed, NotFound
from atlas.web.requests.request_head import RequestHead
from atlas.web.responses.response import RedirectResponse, Response
from atlas.web.routing.router import NoMatch
from atlas.web.scope_keys import MESSAGES

__all__ = ["answer_no_match"]


def answer_no_match(request: RequestHead) -> Response:
    """Answer a request that no route matches; called as a controller is.

    :param request: a request whose cache has the :class:`NoMatch`.
    :returns: 308 to the path with the other trailing slash, or 204 to OPTIONS.
    :raises HTTPException: 501 for a WebSocket handshake, on a server that hands it on as a request.
    :raises NotFound: if the path has no routes.
    :raises MethodNotAllowed: if the path has routes for other methods (RFC 9110 15.5.6).
    """
    no_match = request._cache.no_match
    assert isinstance(no_match, NoMatch)
    if no_match.websocket and request.headers.get("upgrade", "").lower() == "websocket":
        raise HTTPException(501, "this server does not support WebSockets")
    if MESSAGES in request._notes:
        raise NotFound  # other methods of the path are of no use to a WebSocket, nor are redirects
    if no_match.other_slash:
        return RedirectResponse(_with_other_slash(request), 308)
    if not no_match.allow:
        raise NotFound
    allow = {"allow": ", ".join(no_match.allow)}
    if request.method == "OPTIONS":
        return Response(b"", 204, allow, content_type="")
    raise MethodNotAllowed(headers=allow)


def _with_other_slash(request: RequestHead) -> str:
    """Return the path with its last slash removed or added, as a relative reference (RFC 3986 4.2).

    A relative reference keeps the prefix of a proxy, and a path such as ``//evil.example/`` does not become a host.
    """
    path = request.raw_path.decode("latin-1")
    query = request.query_string.decode("latin-1")
    last = path.removesuffix("/").rpartition("/")[2]
    return (f"../{last}" if path.endswith("/") else f"./{last}/") + (f"?{query}" if query else "")
