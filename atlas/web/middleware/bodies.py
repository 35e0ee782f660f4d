"""What middleware may do with a response's body: the one place that knows which kinds of response there are."""

from __future__ import annotations

from atlas.web.response import Response, StreamingResponse

__all__ = ["drop_body", "in_pieces", "whole_body"]

# What tells about a body; the others tell about the thing itself (RFC 9110 8 and 15.4.5).
_OF_THE_BODY = frozenset([b"content-type", b"content-length", b"content-encoding", b"content-language"])
_NONCE = b"'nonce-"


def whole_body(response: Response) -> bytes | None:
    """The body, where it is there at once; None for streams, files and whatever sends itself in a way of its own."""
    return response.body if type(response).__call__ is Response.__call__ else None


def in_pieces(response: Response) -> bool:
    """Whether the body comes in pieces that may be changed. A file's may not: it has ranges, a tag, and short cuts."""
    return isinstance(response, StreamingResponse) and type(response).__call__ is StreamingResponse.__call__


def drop_body(response: Response, status_code: int) -> None:
    """Make it an answer without a body, such as 304, and without the fields that would tell about one."""
    response.status_code = status_code
    response.body = b""
    raw = response.raw_headers
    # A nonce (CSP3 2.3) is in the body too, and the one that the client has kept has another.
    raw[:] = [field for field in raw if field[0] not in _OF_THE_BODY and _NONCE not in field[1]]
