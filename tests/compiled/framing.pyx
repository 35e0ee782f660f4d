"""The body framing rules of ``atlas._speedups.http1.framing`` with Python arguments and results."""

from atlas._speedups.http1.framing cimport (
    BY_LENGTH, CHUNKED, NO_BODY, UNTIL_CLOSE, BodyFields, Framing, request_framing, response_framing
)

_NAMES = {NO_BODY: "none", BY_LENGTH: "length", CHUNKED: "chunked", UNTIL_CLOSE: "close"}


def of_request(bint http_10, list content_lengths not None, list transfer_encodings not None):
    """Decide the framing of a request.

    :param http_10: whether the request is HTTP/1.0.
    :param content_lengths: the values of its Content-Length fields (bytes).
    :param transfer_encodings: the values of its Transfer-Encoding fields (bytes).
    :returns: ("none", "length" or "chunked", the length of the body in bytes).
    :raises ProtocolError: with status 400 or 501.
    """
    cdef BodyFields fields
    cdef long long length = 0
    fields.content_lengths = <int>len(content_lengths)
    fields.transfer_encodings = <int>len(transfer_encodings)
    cdef Framing framing = request_framing(
        http_10,
        fields,
        content_lengths[0] if content_lengths else None,
        transfer_encodings[0] if transfer_encodings else None,
        &length,
    )
    return _NAMES[framing], length


def of_response(str method not None, int status, bint http_10, bint has_length, bint single, bint trailers=False):
    """Decide the framing of a response: "none", "length", "chunked" or "close"."""
    return _NAMES[response_framing(method == "HEAD", status, http_10, has_length, single, trailers)]
