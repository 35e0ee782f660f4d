"""Writes a response's head: status and fields become bytes in one validating pass.

Names and values are checked while they are copied, so that no application, however careless with what its own users
typed, can split a response (RFC 9110, section 5.5; RFC 9112, section 11.1). Names go out as the application spelled
them. What concerns the connection and the framing is left to the server: transfer-encoding is not copied, and
connection only when it names something else than close or keep-alive.
"""

from http import HTTPStatus

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE

from atlas._speedups.http.characters cimport FIELD_VALUE, TOKEN, same_token
from atlas._speedups.http1.framing cimport parse_length

cdef dict _phrases = {status.value: status.phrase for status in HTTPStatus}

# The status lines of HTTP/1.1, made once; None where the code is not one that we know a phrase for.
cdef list STATUS_LINES = [
    f"HTTP/1.1 {code} {_phrases[code]}\r\n".encode() if code in _phrases else None for code in range(600)
]


cdef int final_status(object status) except -1:
    """The status of a final response, as the application gave it. Raises TypeError or ValueError."""
    if type(status) is not int:
        if not isinstance(status, int):
            raise TypeError(f"expected the status of a response as an int, got {status!r}")
        status = int(status)
    if not 200 <= status <= 999:
        # RFC 9110, section 15.2: a 1xx is no final response, and the client would wait for one.
        raise ValueError(f"expected the status of a final response, 200 to 999, got {status}")
    return status


cdef int write_status(WriteBuffer out, int status) except -1:
    """The status line. A 1.0 client is answered in 1.1 words as well: RFC 9112, section 2.3 asks for the server's own
    version, and says nothing about the client's."""
    cdef bytes line = <bytes>STATUS_LINES[status] if status < 600 else None
    if line is None:
        line = b"HTTP/1.1 %d \r\n" % status
    return out.append(PyBytes_AS_STRING(line), PyBytes_GET_SIZE(line))


cdef int refuse_name(object name) except -1:
    if type(name) is not bytes:
        raise TypeError(f"expected a header name in bytes, got {name!r}")
    raise ValueError(f"expected a header name that is a token (RFC 9110, section 5.6.2), got {name!r}")


cdef int refuse_value(object name, object value) except -1:
    if type(value) is not bytes:
        raise TypeError(f"expected the value of header {name!r} in bytes, got {value!r}")
    raise ValueError(f"expected a value of header {name!r} without control characters, got {value!r}")


cdef int write_name(WriteBuffer out, bytes name) except -1:
    """Copy a name, checking it; ``out`` has room for it and for what follows."""
    cdef const unsigned char* data = <const unsigned char*>PyBytes_AS_STRING(name)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(name)
    cdef char* into = out.data + out.size
    cdef Py_ssize_t i
    if size == 0:
        return refuse_name(name)
    for i in range(size):
        if not TOKEN[data[i]]:
            return refuse_name(name)
        into[i] = <char>data[i]
    into[size] = b":"
    into[size + 1] = b" "
    out.size += size + 2
    return 0


cdef int write_value(WriteBuffer out, bytes name, bytes value) except -1:
    cdef const unsigned char* data = <const unsigned char*>PyBytes_AS_STRING(value)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(value)
    cdef char* into = out.data + out.size
    cdef Py_ssize_t i
    for i in range(size):
        if not FIELD_VALUE[data[i]]:
            return refuse_value(name, value)
        into[i] = <char>data[i]
    into[size] = b"\r"
    into[size + 1] = b"\n"
    out.size += size + 2
    return 0


cdef int read_length(ResponseFields* fields, bytes value) except -1:
    if fields.has_length:
        raise ValueError("expected one content-length, got two")
    fields.length = parse_length(PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value))
    if fields.length < 0:
        raise ValueError(f"expected a content-length that is one plain number, got {value!r}")
    fields.has_length = True
    return 0


cdef bint keeps_connection(bytes value, ResponseFields* fields) except -1:
    """Whether to go on is the server's to say; what else a connection field lists is passed on as it is."""
    cdef set options = {option.strip() for option in value.split(b",")}
    if b"close" in options:
        fields.close = True
    return bool(options - {b"close", b"keep-alive", b""}) and not fields.close


cdef bint keeps_field(bytes name, bytes value, int status, ResponseFields* fields) except -1:
    """Note what a field says about framing and connection; is it to be written as well?"""
    cdef const char* data = PyBytes_AS_STRING(name)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(name)
    cdef const char* text = PyBytes_AS_STRING(value)
    cdef Py_ssize_t text_size = PyBytes_GET_SIZE(value)
    if size == 14 and same_token(data, size, b"content-length", 14):
        read_length(fields, value)
        # RFC 9110, section 8.6: never in a 1xx or 204 response.
        return status >= 200 and status != 204
    if size == 17 and same_token(data, size, b"transfer-encoding", 17):
        if not same_token(text, text_size, b"chunked", 7):
            raise ValueError(f"expected no transfer-encoding but chunked, got {value!r}")
        fields.has_transfer_encoding = True
        return False
    if size == 10 and same_token(data, size, b"connection", 10):
        return keeps_connection(value.lower(), fields)
    if size == 4 and same_token(data, size, b"date", 4):
        fields.has_date = True
    elif size == 6 and same_token(data, size, b"server", 6):
        fields.has_server = True
    return True


cdef int write_field(WriteBuffer out, object name, object value, int status, ResponseFields* fields) except -1:
    cdef Py_ssize_t start = out.size
    cdef Py_ssize_t size
    if type(name) is not bytes:
        return refuse_name(name)
    if type(value) is not bytes:
        return refuse_value(name, value)
    size = PyBytes_GET_SIZE(<bytes>name)
    out.grow(size + PyBytes_GET_SIZE(<bytes>value) + 4)
    write_name(out, <bytes>name)
    write_value(out, <bytes>name, <bytes>value)
    if size <= 17 and not keeps_field(<bytes>name, <bytes>value, status, fields):
        out.size = start
    return 0


cdef list field_pairs(object headers):
    """The application's headers, an iterable of (name, value) pairs, as a list of tuples.

    Whatever code of the application's that runs is run here, before the first byte of a head is written.
    """
    cdef list pairs = []
    cdef bint plain = type(headers) is list
    if headers is None:
        return pairs
    if plain:
        for pair in <list>headers:
            if type(pair) is not tuple or len(<tuple>pair) != 2:
                plain = False
                break
    if plain:
        return <list>headers
    for pair in headers:
        try:
            name, value = pair
        except (TypeError, ValueError):
            raise TypeError(f"expected headers as pairs of (name, value) in bytes, got {pair!r}") from None
        pairs.append((name, value))
    return pairs


cdef int write_fields(WriteBuffer out, list pairs, int status, ResponseFields* fields) except -1:
    """Write fields as :func:`field_pairs` gave them.

    Raises TypeError or ValueError and may leave a part of them in ``out``: the caller cuts it back.
    """
    cdef tuple pair
    fields.has_length = fields.has_transfer_encoding = fields.has_date = fields.has_server = fields.close = False
    fields.length = 0
    for pair in pairs:
        write_field(out, pair[0], pair[1], status, fields)
    if fields.has_length and fields.has_transfer_encoding:
        raise ValueError("expected content-length or transfer-encoding, got both")
    return 0


cdef int write_trailer(WriteBuffer out, list pairs) except -1:
    """Write trailer fields. RFC 9110, section 6.5.1: none that frames the message may be among them."""
    cdef ResponseFields fields
    write_fields(out, pairs, 200, &fields)
    if fields.has_length or fields.has_transfer_encoding or fields.close:
        raise ValueError("expected trailers without content-length, transfer-encoding and connection")
    return 0


def response_head(int status, headers):
    """A status line and fields as bytes, as they are written before framing and date are added; for tests.

    :param status: 100 to 999.
    :param headers: an iterable of (name, value) pairs in bytes.
    :raises TypeError: for a name or value that is not bytes, or a pair that is none.
    :raises ValueError: for a name that is no token, a value with a control character, a content-length that is not one
        plain number or that stands beside transfer-encoding.
    """
    cdef ResponseFields fields
    cdef WriteBuffer out = WriteBuffer()
    write_status(out, status)
    write_fields(out, field_pairs(headers), status, &fields)
    return out.take()
