"""What a request's head says: method, target, version and fields, and the limits that they keep.

The parser takes the request line apart as well, but it accepts what two parties might read differently: other protocol
names, fragments, targets of every form with every method. Sources: RFC 9112, section 3; RFC 3986, section 3.2.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.object cimport PyObject
from cpython.unicode cimport PyUnicode_DecodeASCII, PyUnicode_DecodeUTF8
from libc.string cimport memchr, memcmp, memcpy

from atlas._speedups.http.characters cimport TOKEN, same_token

from atlas.errors import ProtocolError

cdef extern from *:
    """
    #ifdef _WIN32
    #include <ws2tcpip.h>
    #else
    #include <arpa/inet.h>
    #endif
    static int atlas_is_ipv6(const char *text)
    {
        unsigned char address[16];
        return inet_pton(AF_INET6, text, address) == 1;
    }
    """
    bint atlas_is_ipv6(const char* text) noexcept nogil

cdef enum:
    VERSION_SIZE = 9    # " HTTP/1.1"
    IPV6_SIZE = 46      # the longest address has 45 characters
    SLOTS = 512         # of the table of field names: a power of two, several times their number
    LONGEST = 64        # no known field name is longer


@cython.final
cdef class Limits:
    """How large a request may be.

    :param request_line: bytes of the request line. :param head: bytes of the whole head.
    :param fields: number of header fields. :param field: bytes of one field line.
    :param body: bytes of the body; 0 for no limit.
    """

    def __init__(self, *, request_line=8192, head=65536, fields=128, field=16384, body=104857600):
        self.request_line = request_line
        self.head = head
        self.fields = fields
        self.field = field
        self.body = body


@cython.final
@cython.freelist(64)
cdef class RequestHead:
    """A request's head, checked. Made by a protocol's parser; the attributes can be read, not changed."""

    cdef str path(self):
        """The path as text; most have no escape, and cost one copy."""
        if self.escaped:
            return decode_path(self.raw_path, False)
        return PyUnicode_DecodeASCII(PyBytes_AS_STRING(self.raw_path), PyBytes_GET_SIZE(self.raw_path), NULL)

    @property
    def http_version(self):
        """``"1.0"`` or ``"1.1"``."""
        return "1.0" if self.http_10 else "1.1"

    def __repr__(self):
        return f"<RequestHead {self.method} {self.target.decode('ascii', 'replace')} HTTP/{self.http_version}>"


cdef int refuse(str reason) except -1:
    raise ProtocolError(400, reason)


cdef inline bint is_digit(char c) noexcept nogil:
    return 48 <= c <= 57


cdef int read_version(RequestLine* line, char* version) except -1:
    """``version`` is the last nine bytes of the line. RFC 9110, section 2.5."""
    if memcmp(version, b" HTTP/", 6) != 0 or not is_digit(version[6]) or version[7] != 46 or not is_digit(version[8]):
        return refuse("a request line without an HTTP version")
    if version[6] == 48:
        return refuse("HTTP/0.9")
    if version[6] != 49:
        raise ProtocolError(505, "an HTTP version other than 1.0 and 1.1")
    line.http_10 = version[8] == 48
    if version[8] > 49:
        # A higher minor version is to be read as the highest that we know; the parser only knows these two.
        version[8] = 49
    return 0


cdef int read_absolute_form(RequestLine* line, const char* data, Py_ssize_t end) except -1:
    """``http://authority/path``: find where the path begins, and check the authority (RFC 9112, section 3.2.2)."""
    cdef Py_ssize_t at = line.target
    cdef Py_ssize_t scheme
    cdef Py_ssize_t authority
    while at < end and data[at] != 58:
        at += 1
    scheme = at - line.target
    if not (
        end - at > 3
        and data[at + 1] == 47
        and data[at + 2] == 47
        and (is_http(data + line.target, scheme))
    ):
        return refuse("a target that is neither a path nor an http URL")
    authority = at + 3
    at = authority
    while at < end and data[at] != 47 and data[at] != 63:
        if data[at] == 64:
            return refuse("userinfo in a target")
        at += 1
    # RFC 9110, section 4.2.1: "http" URIs without a host are invalid.
    if at == authority or data[authority] == 58 or not is_host(data + authority, at - authority):
        return refuse("a target whose authority is not host[:port]")
    line.form = ABSOLUTE_FORM
    line.path = at
    return 0


cdef bint is_http(const char* scheme, Py_ssize_t size) noexcept nogil:
    cdef Py_ssize_t i
    if size != 4 and size != 5:
        return False
    for i in range(size):
        if (scheme[i] | 32) != b"https"[i]:
            return False
    return True


cdef str read_request_line(RequestLine* line, char* data, Py_ssize_t size):
    """Find the parts of a request line, given without its CRLF, and return its method.

    ``data`` may be changed in one byte: a minor version above 1 becomes 1. Raises ProtocolError(400, 501 or 505): the
    version comes first, for it says what the rest means.
    """
    cdef Py_ssize_t at = 0
    cdef Py_ssize_t end = size - VERSION_SIZE
    cdef str method
    while at < size and TOKEN[<unsigned char>data[at]]:
        at += 1
    if at == 0 or at >= size or data[at] != 32:
        refuse("a request line without a method")
    line.method_size = at
    line.target = at + 1
    if end <= at:
        refuse("a request line without an HTTP version")
    read_version(line, data + end)
    method = method_name(data, line.method_size)
    if method is None or method == "CONNECT":
        raise ProtocolError(501, "a method that isn't known here")
    line.target_size = end - line.target
    if line.target_size == 0:
        refuse("a request line without a target")
    read_target(line, data, end)
    return method


cdef int read_target(RequestLine* line, const char* data, Py_ssize_t end) except -1:
    """The form of a target, its bytes, and where its query is."""
    cdef Py_ssize_t at
    cdef unsigned char c
    line.form = ORIGIN_FORM
    line.path = line.target
    if data[line.target] != 47:
        if line.target_size == 1 and data[line.target] == 42:
            if line.method_size != 7 or memcmp(data, b"OPTIONS", 7) != 0:
                return refuse("the target * with a method other than OPTIONS")
            line.form = ASTERISK_FORM
        else:
            read_absolute_form(line, data, end)
    line.query = end
    line.escaped = False
    at = line.path
    while at < end:
        c = <unsigned char>data[at]
        if c <= 32 or c >= 127:
            return refuse("a space, a control or a byte outside ASCII in a target")
        if c == 35:
            return refuse("a fragment in a target")
        if line.query == end:
            if c == 63:
                line.query = at
            elif c == 37:
                line.escaped = True
        at += 1
    return 0


cdef inline bint is_name_byte(unsigned char c) noexcept nogil:
    """unreserved, sub-delims and "%" of RFC 3986: what a reg-name is made of."""
    return (TOKEN[c] and c != 35 and c != 94 and c != 96 and c != 124) or c == 40 or c == 41 or (
        c == 44 or c == 59 or c == 61
    )


cdef inline bint is_hex(unsigned char c) noexcept nogil:
    return 48 <= c <= 57 or 97 <= (c | 32) <= 102


cdef Py_ssize_t literal_size(const char* data, Py_ssize_t size) noexcept nogil:
    """The size of an IP-literal ``[...]`` that ``data`` begins with; 0 if it isn't one."""
    cdef char[IPV6_SIZE] address
    cdef const char* end = <const char*>memchr(data, 93, size)
    cdef Py_ssize_t length = end - data - 1 if end is not NULL else 0
    if length < 1:
        return 0
    if (data[1] | 32) == 118:
        return length + 2 if is_future(data + 1, length) else 0
    if length >= IPV6_SIZE:
        return 0
    memcpy(address, data + 1, length)
    address[length] = 0
    return length + 2 if atlas_is_ipv6(address) else 0


cdef bint is_future(const char* data, Py_ssize_t size) noexcept nogil:
    """IPvFuture = "v" 1*HEXDIG "." 1*( unreserved / sub-delims / ":" )"""
    cdef Py_ssize_t at = 1
    while at < size and is_hex(<unsigned char>data[at]):
        at += 1
    if at == 1 or at + 1 >= size or data[at] != 46:
        return False
    for at in range(at + 1, size):
        if data[at] == 37 or (data[at] != 58 and not is_name_byte(<unsigned char>data[at])):
            return False
    return True


cdef bint is_host(const char* data, Py_ssize_t size) noexcept nogil:
    """Is this host[:port] as RFC 3986, section 3.2 has it? An empty host is one (RFC 9110, section 7.2)."""
    cdef Py_ssize_t at = 0
    if size and data[0] == 91:
        at = literal_size(data, size)
        if at == 0:
            return False
    else:
        while at < size and is_name_byte(<unsigned char>data[at]):
            if data[at] == 37:
                if at + 2 >= size or not is_hex(<unsigned char>data[at + 1]) or not is_hex(<unsigned char>data[at + 2]):
                    return False
            at += 1
    if at == size:
        return True
    if data[at] != 58 or size - at > 6:
        return False
    for at in range(at + 1, size):
        if not is_digit(data[at]):
            return False
    return True


cdef inline int hex_value(unsigned char c) noexcept nogil:
    return c - 48 if c <= 57 else (c | 32) - 87


cdef str decode_path(bytes raw_path, bint keep_slashes):
    """Percent-decoded, then read as UTF-8; what is not UTF-8 becomes U+FFFD, a "%" without two digits stays.

    With ``keep_slashes`` an encoded slash stays encoded, as "%2F".
    """
    cdef const char* raw = PyBytes_AS_STRING(raw_path)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(raw_path)
    cdef Py_ssize_t at = 0
    cdef Py_ssize_t out = 0
    cdef bytes decoded
    cdef char* into
    if memchr(raw, 37, size) is NULL:
        return PyUnicode_DecodeASCII(raw, size, "replace")
    decoded = PyBytes_FromStringAndSize(NULL, size)
    into = PyBytes_AS_STRING(decoded)
    while at < size:
        if (
            raw[at] == 37
            and at + 2 < size
            and is_hex(<unsigned char>raw[at + 1])
            and is_hex(<unsigned char>raw[at + 2])
        ):
            into[out] = <char>(hex_value(<unsigned char>raw[at + 1]) << 4 | hex_value(<unsigned char>raw[at + 2]))
            if keep_slashes and into[out] == 47:
                memcpy(into + out, b"%2F", 3)
                out += 2
            at += 3
        else:
            into[out] = raw[at]
            at += 1
        out += 1
    return PyUnicode_DecodeUTF8(into, out, "replace")


# The names of fields and methods that are common, made once. The tables are constant: nothing that a client sends is
# ever added to them.

HOST = b"host"
CONNECTION = b"connection"
CONTENT_LENGTH = b"content-length"
TRANSFER_ENCODING = b"transfer-encoding"
EXPECT = b"expect"
UPGRADE = b"upgrade"
CONTENT_ENCODING = b"content-encoding"
TE = b"te"

cdef tuple COMMON_FIELDS = (
    HOST, CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING, EXPECT, UPGRADE, TE, CONTENT_ENCODING,
    b"accept", b"accept-charset", b"accept-encoding", b"accept-language", b"access-control-request-headers",
    b"access-control-request-method", b"authorization", b"cache-control", b"content-disposition",
    b"content-type", b"cookie", b"date", b"dnt", b"forwarded", b"from", b"idempotency-key", b"if-match",
    b"if-modified-since", b"if-none-match", b"if-range", b"if-unmodified-since", b"keep-alive", b"last-event-id",
    b"max-forwards", b"origin", b"pragma", b"priority", b"proxy-authorization", b"purpose", b"range", b"referer",
    b"save-data", b"sec-ch-ua", b"sec-ch-ua-mobile", b"sec-ch-ua-platform", b"sec-fetch-dest", b"sec-fetch-mode",
    b"sec-fetch-site", b"sec-fetch-user", b"sec-gpc", b"sec-websocket-extensions", b"sec-websocket-key",
    b"sec-websocket-protocol", b"sec-websocket-version", b"trailer", b"traceparent", b"tracestate",
    b"upgrade-insecure-requests", b"user-agent", b"via", b"x-api-key", b"x-correlation-id", b"x-csrf-token",
    b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-port",
    b"x-forwarded-prefix", b"x-forwarded-proto", b"x-real-ip", b"x-request-id",
    b"x-requested-with",
)

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


cdef bint is_forwarding(bytes name) noexcept:
    """``forwarded``, or ``x-forwarded-`` and more: what proxies say of a request."""
    cdef const char* data = PyBytes_AS_STRING(name)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(name)
    if data[0] == 120:
        return size > 12 and memcmp(data, b"x-forwarded-", 12) == 0
    return size == 9 and memcmp(data, b"forwarded", 9) == 0


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
