"""Tells an ASGI application without a lifespan from one whose startup has failed."""

from __future__ import annotations

__all__ = ["lacks_lifespan"]

# What scopes and events of requests have, and those of a lifespan do not.
_KEYS_OF_REQUESTS = frozenset(
    [
        "body",
        "client",
        "headers",
        "http_version",
        "method",
        "more_body",
        "path",
        "query_string",
        "raw_path",
        "root_path",
        "scheme",
        "server",
    ]
)


def lacks_lifespan(error: BaseException, *, received: bool) -> bool:
    """Return whether an application that raises for the lifespan scope does not support the protocol.

    It may raise at once, or take ``lifespan.startup`` for the event of a request, and look for the body in it. The ASGI
    specification lets the server continue after any exception ("Lifespan Protocol"); but an application that knows the
    event and raises, such as for a database that is away, would be served without what it needs.

    :param error: the exception.
    :param received: whether the application has received ``lifespan.startup``.
    """
    if not isinstance(error, Exception):
        return False
    return not received or (isinstance(error, KeyError) and bool(_KEYS_OF_REQUESTS.intersection(map(str, error.args))))
