"""What a request's head says."""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_DecodeASCII

from atlas._speedups.http1.framing cimport BY_LENGTH, CHUNKED
from atlas._speedups.http.target cimport decode_path


@cython.final
@cython.freelist(64)
cdef class RequestHead:
    """A request's head, checked: method, target, fields, and what they say about body and connection.

    Made by :class:`RequestParser`; the attributes can be read, not changed.
    """

    cdef str path(self):
        """The path as text; most have no escape, and cost one copy."""
        if self.escaped:
            return decode_path(self.raw_path)
        return PyUnicode_DecodeASCII(PyBytes_AS_STRING(self.raw_path), PyBytes_GET_SIZE(self.raw_path), NULL)

    @property
    def http_version(self):
        """"1.0" or "1.1"."""
        return "1.0" if self.http_10 else "1.1"

    @property
    def body_framing(self):
        """"none", "length" or "chunked"."""
        if self.framing == BY_LENGTH:
            return "length"
        return "chunked" if self.framing == CHUNKED else "none"

    def __repr__(self):
        return f"<RequestHead {self.method} {self.target.decode('ascii', 'replace')} HTTP/{self.http_version}>"
