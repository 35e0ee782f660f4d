"""The opening handshake of a server (RFC 6455, section 4.2).

A request that asks for a WebSocket in a wrong way raises :class:`ProtocolError`: 426 for another version, which the
answer names, and 400 for anything else.
"""

import re
from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from hashlib import sha1

cimport cython

from atlas._speedups.http.request_head cimport RequestHead

from atlas.errors import ProtocolError

cdef bytes GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"     # RFC 6455, section 1.3
cdef str TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
cdef str PARAMETER = rf'[ \t]*;[ \t]*({TOKEN})(?:[ \t]*=[ \t]*(?:({TOKEN})|"((?:[^"\\]|\\.)*)"))?'

# RFC 6455, section 9.1: a list of extensions, each with parameters whose values are tokens, quoted or not.
cdef object EXTENSION = re.compile(rf"[ \t]*({TOKEN})((?:{PARAMETER})*)[ \t]*(?:,|$)")
cdef object EACH_PARAMETER = re.compile(PARAMETER)
cdef object WHOLE_TOKEN = re.compile(TOKEN)


@cython.final
cdef class Handshake:
    """What a client asks for."""

    cdef bytes accept_key(self):
        """The value of Sec-WebSocket-Accept (section 4.2.2); None where there is no key."""
        if self.key is None:
            return None
        return b2a_base64(sha1(self.key + GUID).digest(), newline=False)


cdef bint asks_for_websocket(RequestHead head) except -1:
    """Is this the handshake of a WebSocket? Another method, HTTP/1.0 and other protocols are not: their Upgrade is ignored.

    RFC 9110, section 7.8.
    """
    if head.upgrade is None or head.http_10 or head.method != "GET":
        return False
    return any([option.strip(b" \t").lower() == b"websocket" for option in head.upgrade.split(b",")])


cdef Handshake read_handshake(RequestHead head):
    """Check a request for which :func:`asks_for_websocket` is true."""
    cdef Handshake handshake = Handshake.__new__(Handshake)
    cdef list versions = []
    cdef list keys = []
    cdef bytes name
    cdef bytes value
    handshake.subprotocols = []
    handshake.extensions = []
    for name, value in head.headers:
        if not name.startswith(b"sec-websocket-"):
            continue
        if name == b"sec-websocket-version":
            versions.append(value)
        elif name == b"sec-websocket-key":
            keys.append(value)
        elif name == b"sec-websocket-protocol":
            handshake.subprotocols += [each.strip(" \t") for each in value.decode("latin-1").split(",") if each.strip()]
        elif name == b"sec-websocket-extensions":
            handshake.extensions += read_extensions(value.decode("latin-1"))
    if versions != [b"13"]:
        raise ProtocolError(426, "a WebSocket handshake of a version other than 13")
    if head.has_body:
        raise ProtocolError(400, "a WebSocket handshake with a body")
    if len(keys) != 1 or not is_key(keys[0]):
        raise ProtocolError(400, "a WebSocket handshake without one Sec-WebSocket-Key of 16 bytes in base64")
    handshake.key = keys[0]
    return handshake


cdef bint is_key(bytes key) except -1:
    try:
        return len(a2b_base64(key, strict_mode=True)) == 16
    except Base64Error:
        return False


cdef list read_extensions(str text):
    """Read one field, and refuse what is not as section 9.1 has it."""
    cdef list found = []
    cdef Py_ssize_t at = 0
    while at < len(text):
        match = EXTENSION.match(text, at)
        if match is None:
            raise ProtocolError(400, "a WebSocket handshake with malformed extensions")
        found.append((match[1], [read_parameter(each) for each in EACH_PARAMETER.finditer(match[2])]))
        at = match.end()
    return found


cdef tuple read_parameter(object match):
    name, token, quoted = match.groups()
    if quoted is None:
        return name, token
    value = re.sub(r"\\(.)", r"\1", quoted)
    if WHOLE_TOKEN.fullmatch(value) is None:
        raise ProtocolError(400, "a WebSocket handshake with malformed extensions")
    return name, value
