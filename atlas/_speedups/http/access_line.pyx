"""The access log's default line, written while the response's data is at hand.

Compiled because it is on the path of every response: gathering the parts and formatting them later cost a fifth of a
small request, this a twentieth. Other formats are made in ``atlas/server/access_formats.py``; a test holds the two
against each other.
"""

from http import HTTPStatus

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.string cimport memchr

cdef extern from "Python.h":
    const char* PyUnicode_AsUTF8AndSize(object text, Py_ssize_t* size) except NULL

cdef dict _phrases = {status.value: status.phrase for status in HTTPStatus}

# Every line ends in one of 900 ways, for a status has three digits.
cdef list ENDS = [
    (f'" {status} {_phrases.get(status, "")}'.rstrip() + "\n").encode() for status in range(1000)
]


cdef int append_text(WriteBuffer out, str text) except -1:
    cdef Py_ssize_t size
    cdef const char* data = PyUnicode_AsUTF8AndSize(text, &size)
    return out.append(data, size)


cdef bytes access_line(WriteBuffer out, object client, str method, bytes target, bint http_10, int status):
    """``INFO:     127.0.0.1:53412 - "GET /a?b HTTP/1.1" 200 OK`` and a newline; ``out`` is empty before and after.

    A target is visible ASCII, which the reader has seen to; quotes and backslashes in it are escaped here.
    """
    cdef const char* data = PyBytes_AS_STRING(target)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(target)
    if memchr(data, 34, size) is not NULL or memchr(data, 92, size) is not NULL:
        target = target.replace(b"\\", b"\\x5c").replace(b'"', b"\\x22")
    out.append(b"INFO:     ", 10)
    if client is None:
        out.append(b"-", 1)
    else:
        append_text(out, <str>(<tuple>client)[0])
        out.append(b":", 1)
        out.append_decimal((<tuple>client)[1])
    out.append(b' - "', 4)
    append_text(out, method)
    out.append(b" ", 1)
    out.append_bytes(target)
    out.append(b" HTTP/1.0" if http_10 else b" HTTP/1.1", 9)
    out.append_bytes(<bytes>ENDS[status])
    return out.take()


def line(client, str method not None, bytes target not None, bint http_10, int status):
    """The line as bytes; for tests.

    :param client: (host, port) or None.
    :param target: visible ASCII.
    :param status: 0 to 999.
    """
    if not 0 <= status <= 999:
        raise ValueError(f"expected a status of at most three digits, got {status}")
    return access_line(WriteBuffer(), client, method, target, http_10, status)
