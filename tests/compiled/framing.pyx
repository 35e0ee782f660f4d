"""The body framing rules of ``atlas._speedups.http1.framing`` with Python arguments and results."""

from atlas._speedups.http.response_stream cimport forbids_body
from atlas._speedups.http1.framing cimport (
    BY_LENGTH, CHUNKED, CHUNKS_DONE, NO_BODY, UNTIL_CLOSE, BodyFields, ChunkScan, Framing, request_framing,
    response_framing, scan_chunks, start_chunks
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
        b", ".join(transfer_encodings) if transfer_encodings else None,
        &length,
    )
    return _NAMES[framing], length


def of_response(str method not None, int status, bint http_10, bint has_length, bint single, bint trailers=False):
    """Decide the framing of a response: "none", "length", "chunked" or "close"."""
    return _NAMES[response_framing(method == "HEAD" or forbids_body(status), http_10, has_length, single, trailers)]


cdef class ChunkScanner:
    """A scan of a chunked body.

    :param limit: the number of data bytes that a body may have; 0 for no limit.
    """

    cdef ChunkScan scan_state
    cdef long long limit
    cdef bytes scanned

    def __init__(self, limit=0):
        start_chunks(&self.scan_state)
        self.limit = limit

    def scan(self, bytes data not None):
        """Scan a copy of ``data``; returns how many bytes of it belong to the body. Raises ProtocolError(400 or 413)."""
        cdef bytearray copy = bytearray(data)
        cdef Py_ssize_t taken = scan_chunks(&self.scan_state, copy, len(copy), self.limit)
        self.scanned = bytes(copy)
        return taken

    @property
    def seen(self):
        """The last ``data`` as the scan left it: extensions are overwritten."""
        return self.scanned

    @property
    def body_end(self):
        """How many bytes of the last ``data`` came before the trailers."""
        return self.scan_state.body_end

    @property
    def done(self):
        """Has the whole body, with its trailers, been scanned?"""
        return self.scan_state.state == CHUNKS_DONE
