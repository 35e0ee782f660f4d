"""Setting header fields of a response without the cost of a :class:`~atlas.web.headers.MutableHeaders`.

Most responses pass several middlewares that set a field.
"""

from __future__ import annotations

from atlas.web.responses.response import Response

__all__ = ["put_field", "vary_on"]


def put_field(response: Response, name: bytes, value: bytes) -> None:
    """Set a header field, and remove other fields of the same name.

    :param response: the response.
    :param name: the name, in lower case.
    :param value: the value; not checked, so it has to be one that :func:`~atlas.web.headers.encode_field` accepts.
    """
    raw = response.raw_headers
    for key, _ in raw:
        if key == name:
            raw[:] = [field for field in raw if field[0] != name]
            break
    raw.append((name, value))


def vary_on(response: Response, name: bytes) -> None:
    """Add a request field that the response depends on to ``vary`` (RFC 9110 12.5.5).

    :param response: the response.
    :param name: the name of the request field, in lower case.
    """
    for key, _ in response.raw_headers:
        if key == b"vary":
            response.vary(name.decode("ascii"))
            return
    response.raw_headers.append((b"vary", name))
