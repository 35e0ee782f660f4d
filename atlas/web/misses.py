"""What is answered where no route fits: another method, the path with the other trailing slash, or nothing."""

from __future__ import annotations

from typing import cast

from atlas.web.errors import MethodNotAllowed, NotFound
from atlas.web.request import RequestHead
from atlas.web.response import RedirectResponse, Response
from atlas.web.routing import Miss

__all__ = ["MISS", "answer_miss"]

MISS = "miss"
"""Where a request keeps what was found instead of a route."""


def answer_miss(request: RequestHead) -> Response:
    """Stands for a controller where there is none.

    :raises NotFound: if nothing is there. :raises MethodNotAllowed: if other methods are answered.
    """
    miss = cast(Miss, request._kept()[MISS])
    if miss.other_slash:
        return RedirectResponse(_with_other_slash(request), 308)
    if not miss.allow:
        raise NotFound
    allow = {"allow": ", ".join(miss.allow)}
    if request.method == "OPTIONS":
        return Response(b"", 204, allow, content_type="")
    raise MethodNotAllowed(headers=allow)


def _with_other_slash(request: RequestHead) -> str:
    """The same path with or without its last slash, relative to itself.

    Relative, so that no proxy's prefix has to be known, and no path such as ``//evil.example/`` becomes a host.
    """
    path = request.raw_path.decode("latin-1")
    query = request.query_string.decode("latin-1")
    last = path.removesuffix("/").rpartition("/")[2]
    return (f"../{last}" if path.endswith("/") else f"./{last}/") + (f"?{query}" if query else "")
