"""The field names and methods that are met often, made once.

Both tables are constant: nothing that a client sends is ever added to them.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize

HOST = b"host"
CONNECTION = b"connection"
CONTENT_LENGTH = b"content-length"
TRANSFER_ENCODING = b"transfer-encoding"
EXPECT = b"expect"
UPGRADE = b"upgrade"

cdef tuple OFTEN = (
    HOST, CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING, EXPECT, UPGRADE,
    b"accept", b"accept-charset", b"accept-encoding", b"accept-language", b"access-control-request-headers",
    b"access-control-request-method", b"authorization", b"cache-control", b"content-disposition", b"content-encoding",
    b"content-type", b"cookie", b"date", b"dnt", b"forwarded", b"from", b"idempotency-key", b"if-match",
    b"if-modified-since", b"if-none-match", b"if-range", b"if-unmodified-since", b"keep-alive", b"last-event-id",
    b"max-forwards", b"origin", b"pragma", b"priority", b"proxy-authorization", b"purpose", b"range", b"referer",
    b"save-data", b"sec-ch-ua", b"sec-ch-ua-mobile", b"sec-ch-ua-platform", b"sec-fetch-dest", b"sec-fetch-mode",
    b"sec-fetch-site", b"sec-fetch-user", b"sec-gpc", b"sec-websocket-extensions", b"sec-websocket-key",
    b"sec-websocket-protocol", b"sec-websocket-version", b"te", b"trailer", b"traceparent", b"tracestate",
    b"upgrade-insecure-requests", b"user-agent", b"via", b"x-api-key", b"x-correlation-id", b"x-csrf-token",
    b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-port", b"x-forwarded-proto", b"x-real-ip", b"x-request-id",
    b"x-requested-with",
)

known_names = {
    spelling: name
    for name in OFTEN
    for spelling in (name, b"-".join([word.capitalize() for word in name.split(b"-")]), name.upper())
}

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
