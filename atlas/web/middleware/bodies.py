"""What middleware may do with a response's body: the one place that knows which kinds of response there are."""

from __future__ import annotations

from atlas.web.asgi import ASGIResponse
from atlas.web.files import FileResponse
from atlas.web.response import Response, StreamingResponse

__all__ = ["drop_body", "in_pieces", "length_of", "passes_through", "whole_body"]

# What tells about a body; the others tell about the thing itself (RFC 9110 8 and 15.4.5).
_OF_THE_BODY = frozenset([b"content-type", b"content-length", b"content-encoding", b"content-language"])
_NONCE = b"'nonce-"


def whole_body(response: Response) -> bytes | None:
    """The body, where it is there at once; None for streams, files and whatever sends itself in a way of its own."""
    return response.body if type(response).__call__ is Response.__call__ else None


def in_pieces(response: Response) -> bool:
    """Whether the body is made while it is sent, by a controller of ours: no file, and nobody else's application."""
    return isinstance(response, StreamingResponse) and type(response).__call__ is StreamingResponse.__call__


def passes_through(response: Response) -> bool:
    """Whether ``response.wrap()`` will see every byte of a body that is not there yet: of streams, files and foreign
    applications, but not of what sends itself in a way of its own."""
    return type(response).__call__ in (StreamingResponse.__call__, FileResponse.__call__, ASGIResponse.__call__)


def length_of(response: Response) -> int | None:
    """How long the body will be, where it is known before."""
    if isinstance(response, FileResponse):
        return response.size
    length = response.headers.get("content-length", "")
    return int(length) if length.isascii() and length.isdigit() else None


def drop_body(response: Response, status_code: int) -> None:
    """Make it an answer without a body, such as 304, and without the fields that would tell about one."""
    response.status_code = status_code
    response.body = b""
    raw = response.raw_headers
    # A nonce (CSP3 2.3) is in the body too, and the one that the client has kept has another.
    raw[:] = [field for field in raw if field[0] not in _OF_THE_BODY and _NONCE not in field[1]]
