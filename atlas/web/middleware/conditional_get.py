"""304 for a client that has the response already (RFC 9110 13).

The controller runs all the same: what is saved is the way over the wire. A controller that knows its own ``etag`` or
``last-modified`` is compared by that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from atlas.web.adapters import any_mode
from atlas.web.caching import Verdict, entity_tag, judge, parse_date
from atlas.web.middleware.bodies import drop_body, whole_body
from atlas.web.middleware.options import whole_number

if TYPE_CHECKING:
    from atlas.web.request import RequestHead
    from atlas.web.response import Response

__all__ = ["ConditionalGet"]

_CONDITIONS = frozenset([b"if-none-match", b"if-modified-since"])


class ConditionalGet:
    """Gives GET responses a tag, and answers 304 where the client has what carries that tag.

    Only 200 responses whose body is there at once; streams and files are left alone (files do this for themselves).

    :param limit: bytes up to which a tag is made from a body.
    :raises TypeError: for a limit that is no number. :raises ValueError: for one below zero.
    """

    def __init__(self, *, limit: int = 1024 * 1024) -> None:
        self._limit = whole_number("ConditionalGet: limit", limit, 0)

    @any_mode(waits=False)
    def after(self, request: RequestHead, response: Response) -> None:
        """Tag the response, and compare."""
        if response.status_code != 200 or request.method not in ("GET", "HEAD"):
            return
        body = whole_body(response)
        if body is None:
            return
        headers = response.headers
        tag = headers.get("etag")
        if tag is None and len(body) <= self._limit and "no-store" not in headers.get("cache-control", ""):
            tag = entity_tag(body)
            response.raw_headers.append((b"etag", tag.encode("ascii")))
        if not any(name in _CONDITIONS for name, _ in request.headers.raw):
            return
        modified = parse_date(headers.get("last-modified"))
        if judge(request.method, request.headers, tag, modified) is Verdict.NOT_MODIFIED:
            drop_body(response, 304)
