"""What ``atlas._speedups.http`` and ``http1`` make of the parts of a head, with Python arguments and results."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize

from atlas._speedups.buffers.byte_buffers cimport WriteBuffer
from atlas._speedups.http.characters cimport FIELD_VALUE, TOKEN
from atlas._speedups.http.request_head cimport (
    RequestLine, decode_path, field_name, is_host, method_name, read_request_line
)
from atlas._speedups.http.response_stream cimport HeadFacts, field_pairs
from atlas._speedups.http.server_state cimport access_line
from atlas._speedups.http1.stream cimport write_fields, write_status


cdef inline bint is_token(const char* data, Py_ssize_t size) noexcept nogil:
    """Is this one or more token characters, and nothing else?"""
    cdef Py_ssize_t i
    for i in range(size):
        if not TOKEN[<unsigned char>data[i]]:
            return False
    return size > 0


cdef inline bint is_field_value(const char* data, Py_ssize_t size) noexcept nogil:
    """Is there no control character in this field value?"""
    cdef Py_ssize_t i
    for i in range(size):
        if not FIELD_VALUE[<unsigned char>data[i]]:
            return False
    return True


def token(bytes data not None):
    """Is ``data`` a token (RFC 9110, section 5.6.2)?"""
    return is_token(data, len(data))


def field_value(bytes data not None):
    """Is ``data`` free of the control characters that a field value may not hold (RFC 9110, section 5.5)?"""
    return is_field_value(data, len(data))


def folded(bytes data not None):
    """``data`` in lower case if it is a token, else None."""
    cdef Py_ssize_t i, size = len(data)
    if not is_token(data, size):
        return None
    return bytes([TOKEN[<unsigned char>data[i]] for i in range(size)])


def field(bytes data not None):
    """The field name ``data``, a token in any case, as the parser has it."""
    return field_name(data, len(data))


def method(bytes data not None):
    """The method ``data`` as text; None for one that isn't known."""
    return method_name(data, len(data))


def host(bytes data not None):
    """Is ``data`` a host[:port] (RFC 3986, section 3.2)?"""
    return is_host(data, len(data))


def path(bytes raw_path not None):
    """``raw_path`` percent-decoded and read as UTF-8, as ASGI's ``path`` has it."""
    return decode_path(raw_path, False)


def request_line(bytes data not None):
    """(method, target, path bytes, query bytes, http_10) of a request line without its CRLF.

    Raises ProtocolError with status 400, 501 or 505.
    """
    cdef RequestLine line
    cdef bytes copy = PyBytes_FromStringAndSize(PyBytes_AS_STRING(data), len(data))
    read_request_line(&line, PyBytes_AS_STRING(copy), len(copy))
    end = line.target + line.target_size
    return (
        copy[: line.method_size],
        copy[line.target : end],
        copy[line.path : line.query] or b"/",
        copy[line.query + 1 : end],
        line.http_10,
    )


def response_head(int status, headers):
    """A status line and fields as bytes, before framing and date are added.

    :param status: 100 to 999. :param headers: an iterable of (name, value) pairs in bytes.
    :raises TypeError, ValueError: for what must not be sent.
    """
    cdef HeadFacts facts
    cdef WriteBuffer out = WriteBuffer()
    write_status(out, status)
    write_fields(out, field_pairs(headers), status, &facts)
    return out.take()


def log_line(client, str method not None, bytes target not None, bint http_10, int status):
    """The access log's default line.

    :param client: (host, port) or None. :param target: visible ASCII. :param status: 0 to 999.
    """
    if not 0 <= status <= 999:
        raise ValueError(f"expected a status of at most three digits, got {status}")
    return access_line(WriteBuffer(), client, method, target, http_10, status)
