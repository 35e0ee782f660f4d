"""Putting a field on a response at little cost: most responses pass several middlewares that do."""

from __future__ import annotations

from atlas.web.response import Response

__all__ = ["put_field", "vary_on"]


def put_field(response: Response, name: bytes, value: bytes) -> None:
    """Set a field, in the place of those of its name.

    :param name: in lower case. :param value: one that :func:`~atlas.web.headers.encode_field` has made, or would: it is
        not looked at again.
    """
    raw = response.raw_headers
    for key, _ in raw:
        if key == name:
            raw[:] = [field for field in raw if field[0] != name]
            break
    raw.append((name, value))


def vary_on(response: Response, name: bytes) -> None:
    """Say that the response depends on a request field: ``response.vary``, quick where nobody has said anything yet."""
    for key, _ in response.raw_headers:
        if key == b"vary":
            response.vary(name.decode("ascii"))
            return
    response.raw_headers.append((b"vary", name))
