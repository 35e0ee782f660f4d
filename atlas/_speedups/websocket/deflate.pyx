"""permessage-deflate (RFC 7692): what is negotiated, and the compression of messages.

The memory of an idle connection is what the two contexts keep. With windows of 2**12 bytes they are 38 KiB for
compression and 11 KiB for the other direction. A client that cannot limit its window would cost 39 KiB there, so that it
is asked to begin each message with a new one.
"""

import zlib

cimport cython
from cpython.bytes cimport PyBytes_GET_SIZE
from cpython.memoryview cimport PyMemoryView_FromMemory

from atlas.errors import ProtocolError

# The one place that knows the zlib modules. That of zlib-ng is faster, but a context of it takes 130 KiB: it is used for
# contexts that last for one message.
try:
    from zlib_ng import zlib_ng as transient_zlib
except ImportError:
    transient_zlib = zlib

cdef enum:
    PyBUF_READ = 0x100
    MAX_WINDOW_BITS = 15
    MIN_ZLIB_BITS = 9       # zlib can't compress with a window of 2**8 bytes; it reads what was (RFC 7692, 7.1.2.1)
    LEVEL = 1               # the effort: higher levels take twice the time, and save a few percent

cdef bytes TAIL = b"\x00\x00\xff\xff"   # ends a message, and is not sent (RFC 7692, section 7.2.1)

cdef int SYNC_FLUSH = zlib.Z_SYNC_FLUSH


@cython.final
cdef class DeflateSettings:
    """What a server wants of the compression.

    :param window_bits: the logarithm of the window's size, 9 to 15, default 12.
    :param context_takeover: whether the window is kept from message to message, default True.
    """

    def __init__(self, *, int window_bits=12, bint context_takeover=True):
        if not MIN_ZLIB_BITS <= window_bits <= MAX_WINDOW_BITS:
            raise ValueError(f"expected window bits from 9 to 15, got {window_bits}")
        self.window_bits = window_bits
        self.context_takeover = context_takeover


cdef PerMessageDeflate negotiate(list offers, DeflateSettings settings):
    """Accept the first acceptable offer of a client (RFC 7692, section 7.1).

    :param offers: the elements of Sec-WebSocket-Extensions, as pairs of a name and a list of (parameter, value or None).
    :returns: None if there is no acceptable offer of permessage-deflate: then nothing is compressed.
    """
    for name, parameters in offers:
        if name.lower() == "permessage-deflate":
            accepted = accept_offer(parameters, settings)
            if accepted is not None:
                return accepted
    return None


cdef PerMessageDeflate accept_offer(list parameters, DeflateSettings settings):
    """What an offer leads to; None where it is to be declined (section 7.1.2): an unknown parameter, or a wrong one."""
    cdef PerMessageDeflate agreed = PerMessageDeflate.__new__(PerMessageDeflate)
    cdef int server_bits = MAX_WINDOW_BITS
    cdef int client_bits = 0    # the client doesn't offer to limit its window
    cdef set seen = set()
    agreed.server_takeover = agreed.client_takeover = settings.context_takeover
    for name, value in parameters:
        if name in seen:
            return None
        seen.add(name)
        if name == "server_no_context_takeover" and value is None:
            agreed.server_takeover = False
        elif name == "client_no_context_takeover" and value is None:
            agreed.client_takeover = False
        elif name == "server_max_window_bits" and is_window(value):
            server_bits = int(value)
        elif name == "client_max_window_bits" and (value is None or is_window(value)):
            client_bits = MAX_WINDOW_BITS if value is None else int(value)
        else:
            return None
    if server_bits < MIN_ZLIB_BITS:
        return None
    agreed.server_window_bits = min(server_bits, settings.window_bits)
    agreed.client_window_bits = min(client_bits, settings.window_bits) if client_bits else MAX_WINDOW_BITS
    if agreed.client_window_bits > max(settings.window_bits, MIN_ZLIB_BITS):
        agreed.client_takeover = False  # its window is larger than what a connection may keep
    return agreed


cdef bint is_window(object value) except -1:
    """Section 7.1.2.1: a decimal from 8 to 15, without leading zeros."""
    return value is not None and value in ("8", "9", "10", "11", "12", "13", "14", "15")


@cython.final
cdef class PerMessageDeflate:
    """The compression of one connection; made by :func:`negotiate`."""

    def __init__(self):
        raise TypeError("expected a handshake to negotiate the compression")

    cdef str answer(self):
        """The element of Sec-WebSocket-Extensions that accepts the offer."""
        cdef list parts = ["permessage-deflate"]
        if not self.server_takeover:
            parts.append("server_no_context_takeover")
        if not self.client_takeover:
            parts.append("client_no_context_takeover")
        if self.server_window_bits < MAX_WINDOW_BITS:
            parts.append(f"server_max_window_bits={self.server_window_bits}")
        if self.client_window_bits < MAX_WINDOW_BITS:
            parts.append(f"client_max_window_bits={self.client_window_bits}")
        return "; ".join(parts)

    cdef bytes deflate(self, object data):
        """Compress a whole message."""
        cdef object compressor = self.compressor
        cdef bytes body
        if compressor is None:
            bits = self.server_window_bits
            module = zlib if self.server_takeover else transient_zlib
            compressor = module.compressobj(LEVEL, module.DEFLATED, -bits, max(1, bits - 7))
            if self.server_takeover:
                self.compressor = compressor
        body = compressor.compress(data) + compressor.flush(SYNC_FLUSH)
        return body[: PyBytes_GET_SIZE(body) - 4]

    cdef bytes inflate(self, char* data, Py_ssize_t size, bint ends, Py_ssize_t before, long long limit):
        """Inflate a piece of a message.

        :param ends: it is the last one. :param before: bytes of the message that were inflated already.
        :param limit: the most bytes that the message may have; 0 for no limit. A larger one costs one byte more.
        """
        cdef Py_ssize_t most = limit - before + 1 if limit else 0
        cdef bytes piece = b""
        cdef bytes last
        if size:
            piece = self.inflate_some(PyMemoryView_FromMemory(data, size, PyBUF_READ), most)
        if ends and (not limit or PyBytes_GET_SIZE(piece) < most):
            last = self.inflate_some(TAIL, most - PyBytes_GET_SIZE(piece) if limit else 0)
            piece = piece + last if last else piece
            if not self.client_takeover:
                self.decompressor = None
        if limit and PyBytes_GET_SIZE(piece) == most:
            raise ProtocolError(1009, f"a message of more than {limit} bytes", "--ws-max-size")
        return piece

    cdef bytes inflate_some(self, object data, Py_ssize_t most):
        """Inflate up to ``most`` bytes (0: all). A block that says it is the last one may be followed by others (7.2.3.4)."""
        cdef bytes piece = b""
        cdef bytes part
        cdef bint bounded = most > 0
        while True:
            if self.decompressor is None:
                module = zlib if self.client_takeover else transient_zlib
                self.decompressor = module.decompressobj(-max(self.client_window_bits, <int>MIN_ZLIB_BITS))
            part = decompress(self.decompressor, data, most)
            piece = piece + part if piece else part
            if not self.decompressor.eof:
                return piece
            data = self.decompressor.unused_data
            self.decompressor = None
            most -= PyBytes_GET_SIZE(part) if bounded else 0
            if not data or (bounded and most == 0):
                return piece


cdef bytes decompress(object decompressor, object data, Py_ssize_t most):
    try:
        return decompressor.decompress(data, most)
    except (zlib.error, transient_zlib.error):
        pass
    raise ProtocolError(1007, "compressed data that can't be inflated")  # out here, where it has no context
