"""The body of a response, as middleware sees it: how it is produced, its size, and how to remove it."""

from __future__ import annotations

from atlas.web.responses.files import FileResponse
from atlas.web.responses.response import Response
from atlas.web.responses.streaming import StreamingResponse

__all__ = ["drop_body", "is_streamed", "length_of", "passes_through", "whole_body"]

# Fields that describe the content, and not the resource (RFC 9110 8 and 15.4.5).
_CONTENT_FIELDS = frozenset([b"content-type", b"content-length", b"content-encoding", b"content-language"])
_NONCE = b"'nonce-"


def whole_body(response: Response) -> bytes | None:
    """Return the complete body.

    :param response: the response.
    :returns: the body; None for a stream, a file, an ASGI application, or a class that overrides ``__call__``.
    """
    return response.body if type(response).__call__ is Response.__call__ else None


def is_streamed(response: Response) -> bool:
    """Return whether the controller produces the body while it is sent.

    :param response: the response.
    :returns: False for a file, an ASGI application, or a class that overrides ``__call__``.
    """
    return isinstance(response, StreamingResponse) and type(response).__call__ is StreamingResponse.__call__


def passes_through(response: Response) -> bool:
    """Return whether a body that is not complete passes through the functions of ``response.wrap()``.

    This is so if the class that defines ``__call__`` also defines ``wrap``, as those of streams, files and ASGI
    applications do. A class that overrides only ``__call__`` sends its body past them.

    :param response: the response.
    """
    for kind in type(response).__mro__:
        if "__call__" in kind.__dict__:
            return kind is not Response and "wrap" in kind.__dict__
    return False


def length_of(response: Response) -> int | None:
    """Return the size of a body that is not complete.

    :param response: the response.
    :returns: size in bytes; None if it is not known before the body is sent.
    """
    if isinstance(response, FileResponse):
        return response.size
    length = response.headers.get("content-length", "")
    return int(length) if length.isascii() and length.isdigit() else None


def drop_body(response: Response, status_code: int) -> None:
    """Turn a response into one without a body.

    :param response: the response; the fields that describe its content are removed.
    :param status_code: the new status code, such as 304.
    """
    response.status_code = status_code
    response.body = b""
    raw = response.raw_headers
    # A policy with a nonce (CSP3 2.3) belongs to the body that is dropped; the stored response has another nonce.
    raw[:] = [field for field in raw if field[0] not in _CONTENT_FIELDS and _NONCE not in field[1]]
