"""Which body framing a message has; the only place that knows.

Source: RFC 9112, section 6.3, "Message Body Length", whose rules stand beside the branches that carry them out, and
section 6.1 for the combinations that are refused because two parties might read them differently.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE

from atlas._speedups.http.characters cimport same_token

from atlas.errors import ProtocolError


cdef long long parse_length(const char* data, Py_ssize_t size) noexcept nogil:
    """1*DIGIT as a number (RFC 9110, section 8.6); -1 for anything else, and for a number over 63 bits."""
    cdef Py_ssize_t i
    cdef unsigned long long number = 0
    # 19 digits stay below 2^64, so that the sum can't wrap before it is compared.
    if size < 1 or size > 19:
        return -1
    for i in range(size):
        if not 48 <= data[i] <= 57:
            return -1
        number = number * 10 + <unsigned long long>(data[i] - 48)
    return -1 if number > 0x7FFFFFFFFFFFFFFFull else <long long>number


cdef bint forbids_body(int status) noexcept nogil:
    """Does a response of this status end with its head, whatever its fields say (rule 1)?"""
    return status == 204 or status == 304 or 100 <= status <= 199


cdef Framing request_framing(
    bint http_10, BodyFields fields, bytes content_length, bytes transfer_encoding, long long* length
) except? NO_BODY:
    """The framing of a request; writes the body's size to ``length``. Raises ProtocolError(400 or 501)."""
    length[0] = 0
    if fields.transfer_encodings:
        # Rule 3: together they "ought to be handled as an error", and section 6.1: it might be request smuggling.
        if fields.content_lengths:
            raise ProtocolError(400, "Content-Length together with Transfer-Encoding")
        # Section 6.1: "A server that receives an HTTP/1.0 message containing a Transfer-Encoding header field MUST
        # treat the message as if the framing is faulty".
        if http_10:
            raise ProtocolError(400, "Transfer-Encoding in an HTTP/1.0 request")
        # Rule 4, and section 6.1: a coding that isn't understood is answered with 501.
        if fields.transfer_encodings > 1 or not same_token(
            PyBytes_AS_STRING(transfer_encoding), PyBytes_GET_SIZE(transfer_encoding), b"chunked", 7
        ):
            raise ProtocolError(501, "Transfer-Encoding other than chunked")
        return CHUNKED
    if fields.content_lengths:
        # Rule 5 lets a list of equal numbers pass; we don't: a second one never comes from an honest client.
        if fields.content_lengths > 1:
            raise ProtocolError(400, "more than one Content-Length")
        length[0] = parse_length(PyBytes_AS_STRING(content_length), PyBytes_GET_SIZE(content_length))
        if length[0] < 0:
            length[0] = 0
            raise ProtocolError(400, "a Content-Length that is not one plain number")
        return BY_LENGTH if length[0] else NO_BODY
    return NO_BODY  # rule 7


cdef Framing response_framing(
    bint head_method, int status, bint http_10, bint has_length, bint single, bint trailers
) noexcept nogil:
    """The framing of a response.

    ``has_length``: the application gave a content-length. ``single``: the whole body is in hand, so that its length
    is known. ``trailers``: trailer fields follow, which only chunked framing can carry.
    """
    if head_method or forbids_body(status):
        return NO_BODY  # rule 1
    if has_length:
        return BY_LENGTH  # rule 6
    if single and not (trailers and not http_10):
        return BY_LENGTH
    # Rule 4; and rule 8 for HTTP/1.0, which doesn't know chunks.
    return UNTIL_CLOSE if http_10 else CHUNKED
