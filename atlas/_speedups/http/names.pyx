"""The names of HTTP, made once: common header fields and methods.

The tables are constant: nothing that a client sends is ever added to them.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.object cimport PyObject

from atlas._speedups.http.characters cimport TOKEN, same_token

HOST = b"host"
CONNECTION = b"connection"
CONTENT_LENGTH = b"content-length"
TRANSFER_ENCODING = b"transfer-encoding"
EXPECT = b"expect"
UPGRADE = b"upgrade"
TE = b"te"

cdef tuple COMMON_FIELDS = (
    HOST, CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING, EXPECT, UPGRADE, TE,
    b"accept", b"accept-charset", b"accept-encoding", b"accept-language", b"access-control-request-headers",
    b"access-control-request-method", b"authorization", b"cache-control", b"content-disposition", b"content-encoding",
    b"content-type", b"cookie", b"date", b"dnt", b"forwarded", b"from", b"idempotency-key", b"if-match",
    b"if-modified-since", b"if-none-match", b"if-range", b"if-unmodified-since", b"keep-alive", b"last-event-id",
    b"max-forwards", b"origin", b"pragma", b"priority", b"proxy-authorization", b"purpose", b"range", b"referer",
    b"save-data", b"sec-ch-ua", b"sec-ch-ua-mobile", b"sec-ch-ua-platform", b"sec-fetch-dest", b"sec-fetch-mode",
    b"sec-fetch-site", b"sec-fetch-user", b"sec-gpc", b"sec-websocket-extensions", b"sec-websocket-key",
    b"sec-websocket-protocol", b"sec-websocket-version", b"trailer", b"traceparent", b"tracestate",
    b"upgrade-insecure-requests", b"user-agent", b"via", b"x-api-key", b"x-correlation-id", b"x-csrf-token",
    b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-port", b"x-forwarded-proto", b"x-real-ip", b"x-request-id",
    b"x-requested-with",
)

cdef enum:
    SLOTS = 512         # a power of two, several times the number of names
    LONGEST = 64        # no known name is longer

# A hash table with open addressing; the names themselves are kept alive by COMMON_FIELDS.
cdef PyObject* table[SLOTS]


cdef inline unsigned int slot_of(const unsigned char* data, Py_ssize_t size) noexcept nogil:
    """Where the search for a name begins; the same for all spellings. ``size`` is at least 1."""
    cdef unsigned int mixed = <unsigned int>size * 31
    mixed += TOKEN[data[0]] * 7 + TOKEN[data[size >> 1]] * 131 + TOKEN[data[size - 1]] * 1031 + TOKEN[data[size >> 2]] * 17
    return mixed & (SLOTS - 1)


cdef int fill_table() except -1:
    cdef bytes name
    cdef unsigned int slot
    for name in COMMON_FIELDS:
        slot = slot_of(<const unsigned char*>PyBytes_AS_STRING(name), PyBytes_GET_SIZE(name))
        while table[slot] is not NULL:
            slot = (slot + 1) & (SLOTS - 1)
        table[slot] = <PyObject*>name
    return 0


fill_table()


cdef bytes field_name(const char* data, Py_ssize_t size):
    """The name in lower case: one that is known already, or a new one. ``data`` is a token."""
    cdef unsigned int slot
    cdef bytes name
    cdef char* into
    cdef Py_ssize_t i
    if 0 < size <= LONGEST:
        slot = slot_of(<const unsigned char*>data, size)
        while table[slot] is not NULL:
            name = <bytes>table[slot]
            if same_token(data, size, PyBytes_AS_STRING(name), PyBytes_GET_SIZE(name)):
                return name
            slot = (slot + 1) & (SLOTS - 1)
    name = PyBytes_FromStringAndSize(NULL, size)
    into = PyBytes_AS_STRING(name)
    for i in range(size):
        into[i] = <char>TOKEN[<unsigned char>data[i]]
    return name


# What the parser knows, and a web server may be asked for (RFC 9110, WebDAV and its kin, PATCH, QUERY).
cdef dict METHODS = {
    name.encode(): name
    for name in (
        "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT", "QUERY",
        "ACL", "BIND", "CHECKOUT", "COPY", "LINK", "LOCK", "MERGE", "MKACTIVITY", "MKCALENDAR", "MKCOL", "MOVE",
        "M-SEARCH", "NOTIFY", "PROPFIND", "PROPPATCH", "PURGE", "REBIND", "REPORT", "SEARCH", "SUBSCRIBE", "UNBIND",
        "UNLINK", "UNLOCK", "UNSUBSCRIBE",
    )
}


cdef str method_name(const char* data, Py_ssize_t size):
    """The method as text; None for one that isn't known."""
    if size == 3 and data[0] == b"G" and data[1] == b"E" and data[2] == b"T":
        return "GET"
    return METHODS.get(PyBytes_FromStringAndSize(data, size))
