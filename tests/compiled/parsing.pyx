"""The parser of ``atlas._speedups.http1.request_parser`` with Python arguments and results."""

from cpython.bytearray cimport PyByteArray_AS_STRING

from atlas._speedups.http.request_head cimport Limits
from atlas._speedups.http1.request_parser cimport MESSAGE_PARSED, READING_HEAD, RequestParser


cdef class Parser:
    """A request parser.

    :param limits: the limits of a request.
    """

    cdef RequestParser parser

    def __init__(self, Limits limits not None):
        self.parser = RequestParser(limits)

    def feed(self, bytes data not None):
        """Feed a copy of ``data``; returns how many bytes were of this message (0: feed them again, with more)."""
        cdef bytearray copy = bytearray(data)  # no bytes object: the parser writes, and those of one byte are shared
        return self.parser.feed(PyByteArray_AS_STRING(copy), len(copy))

    def next(self):
        """Begin with the next message."""
        self.parser.reset()

    def take_body(self):
        """The body pieces parsed so far, joined."""
        return b"".join(self.parser.take_pieces() or ())

    @property
    def request(self):
        """The current message's RequestHead, or None while it isn't whole."""
        return self.parser.head if self.parser.state != READING_HEAD else None

    @property
    def complete(self):
        """Has the current message been parsed to its end?"""
        return self.parser.state == MESSAGE_PARSED
