"""What caches are told about a response that is for one visitor."""

from __future__ import annotations

from atlas.web.response import Response

__all__ = ["keep_private"]


def keep_private(response: Response, *, new_cookie: bool) -> None:
    """Say that the response depends on the visitor's cookies; what the controller has said of caches stays.

    :param new_cookie: it sets a cookie, which nobody else may ever get: not even ``public`` stays then (RFC 9111 7.3).
    """
    headers = response.headers
    headers.vary("cookie")
    said = headers.get("cache-control")
    if new_cookie and (said is None or ("private" not in said and "no-store" not in said)):
        headers["cache-control"] = "no-store"
    elif said is None:
        headers["cache-control"] = "private"
