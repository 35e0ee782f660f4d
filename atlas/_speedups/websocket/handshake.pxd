"""The opening handshake of a server (RFC 6455, section 4.2)."""

from atlas._speedups.http.request_head cimport RequestHead


cdef class Handshake:
    # What the client asks for: subprotocols (str), and extensions as pairs of a name and a list of (parameter, value).
    cdef readonly list subprotocols
    cdef readonly list extensions

    # What proves that the server has understood; None where the version of HTTP needs no proof (RFC 8441).
    cdef bytes key

    cdef bytes accept_key(self)


cdef bint asks_for_websocket(RequestHead head) except -1
cdef Handshake read_handshake(RequestHead head)
cdef list read_extensions(str text)
