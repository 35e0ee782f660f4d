"""The codec of ``atlas._speedups.websocket`` with Python arguments and results."""

from cpython.bytearray cimport PyByteArray_AS_STRING

from atlas._speedups.buffers.byte_buffers cimport WriteBuffer
from atlas._speedups.websocket.deflate cimport DeflateSettings, PerMessageDeflate, negotiate
from atlas._speedups.websocket.frames cimport (
    BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, MessageReader, close_payload, is_close_code, read_close,
    write_frame_head
)
from atlas._speedups.websocket.handshake cimport read_extensions

_NAMES = {TEXT: "text", BINARY: "binary", CLOSE: "close", PING: "ping", PONG: "pong"}


cdef class Reader:
    """A reader of a client's frames.

    :param max_size: the most bytes of a message; 0 for no limit.
    :param deflate: a :class:`Deflate`, or None.
    :ivar items: what the last :meth:`feed` read, also where it raised.
    """

    cdef MessageReader reader
    cdef readonly list items

    def __init__(self, max_size=0, Deflate deflate=None):
        self.reader = MessageReader(max_size, None if deflate is None else deflate.agreed)

    def feed(self, bytes data not None):
        """Feed a copy of ``data``; returns what became whole, as (name, value)."""
        cdef bytearray copy = bytearray(data)  # no bytes object: those of one byte are shared
        cdef Py_ssize_t at = 0
        cdef list items = []
        self.items = items
        while at < len(copy):
            at += self.reader.feed(PyByteArray_AS_STRING(copy) + at, len(copy) - at)
            if self.reader.ready != CONTINUATION:
                name = _NAMES[self.reader.ready]
                items.append((name, self.reader.take()))
        return items

    @property
    def allocated(self):
        """Bytes of memory that the current message takes."""
        return self.reader.capacity


cdef class Deflate:
    """What is agreed on for a value of Sec-WebSocket-Extensions.

    :ivar answer: the answer; None if nothing is compressed.
    """

    cdef PerMessageDeflate agreed

    def __init__(self, str offers not None, **settings):
        self.agreed = negotiate(read_extensions(offers), DeflateSettings(**settings))

    @property
    def answer(self):
        return None if self.agreed is None else self.agreed.answer()

    @property
    def lazy(self):
        """Is there no context yet?"""
        return self.agreed.compressor is None and self.agreed.decompressor is None

    def deflate(self, data):
        """Compress a message."""
        return self.agreed.deflate(data)


def extensions(str value not None):
    """Read a field Sec-WebSocket-Extensions."""
    return read_extensions(value)


def frame(int first, bytes payload not None):
    """A frame of a server."""
    cdef WriteBuffer out = WriteBuffer.__new__(WriteBuffer)
    write_frame_head(out, first, len(payload))
    return out.take() + payload


def valid_close_code(int code):
    """May a close frame have this code?"""
    return is_close_code(code)


def closing(code, reason):
    """The payload of a close frame."""
    return close_payload(code, reason)


def closed(bytes payload not None):
    """The code and the reason of a close frame."""
    return read_close(payload)
