"""304 for a client that has stored the same response (RFC 9110 13).

The controller runs in any case; the body is not sent again. An ``etag`` or ``last-modified`` field that the controller
sets is used.
"""

from __future__ import annotations

from atlas.web.adapters import any_mode
from atlas.web.option_checks import check_number
from atlas.web.requests.request_head import RequestHead
from atlas.web.responses.bodies import drop_body, is_streamed, whole_body
from atlas.web.responses.caching import Precondition, entity_tag, evaluate, parse_date
from atlas.web.responses.response import Response

__all__ = ["ConditionalGet"]

_CONDITIONS = frozenset([b"if-none-match", b"if-modified-since"])


class ConditionalGet:
    """Sets the ``etag`` of GET responses, and answers 304 if the client has the response.

    This applies to 200 responses with a complete body, and to streams whose controller has set ``etag`` or
    ``last-modified``. Files set their own.

    :param limit: maximum size in bytes of a body to hash; 1 MiB by default.
    :raises TypeError: for a limit that is not an int.
    :raises ValueError: for a negative limit.
    """

    def __init__(self, *, limit: int = 1024 * 1024) -> None:
        self._limit = check_number("ConditionalGet: limit", limit, 0)

    @any_mode(waits=False)
    def after(self, request: RequestHead, response: Response) -> None:
        """Set the tag, and evaluate the preconditions of the request."""
        if response.status_code != 200 or request.method not in ("GET", "HEAD"):
            return
        body, headers = whole_body(response), response.headers
        tag = headers.get("etag")
        if body is None:
            if not is_streamed(response) or (tag is None and "last-modified" not in headers):
                return
        elif tag is None and len(body) <= self._limit and "no-store" not in headers.get("cache-control", ""):
            tag = entity_tag(body)
            response.raw_headers.append((b"etag", tag.encode("ascii")))
        if not any(name in _CONDITIONS for name, _ in request.headers.raw):
            return
        modified = parse_date(headers.get("last-modified"))
        if evaluate(request.method, request.headers, tag, modified) is Precondition.NOT_MODIFIED:
            drop_body(response, 304)
