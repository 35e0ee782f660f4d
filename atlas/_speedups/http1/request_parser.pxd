"""Parses requests: bytes to heads and body pieces, with every check and limit."""

from atlas._speedups.http.request_head cimport Limits, RequestHead, RequestLine
from atlas._speedups.http.server_state cimport ServerState
from atlas._speedups.http1.framing cimport BodyFields, ChunkScan

cdef enum ParserState:
    READING_HEAD
    READING_LENGTH
    READING_CHUNKS
    MESSAGE_PARSED


# Parsers of messages that were parsed to the end are used again, by all connections of an event loop.
cdef RequestParser borrow_parser(ServerState state)
cdef int return_parser(ServerState state, RequestParser parser) except -1


cdef class Window:
    # The bytes that the parser may see; set before each call, empty afterwards.
    cdef char* data
    cdef Py_ssize_t size


cdef class RequestParser:
    # Where in a message the parser is, and that message's head.
    cdef ParserState state
    cdef RequestHead head

    # httptools' parser, and the window through which it sees bytes.
    cdef object parser
    cdef object feed_parser
    cdef Window window

    # A head that is not whole yet: how far it was scanned, where its current line begins, how many lines it has.
    cdef Py_ssize_t scanned
    cdef Py_ssize_t checked
    cdef Py_ssize_t line_start
    cdef Py_ssize_t first_line_size
    cdef int lines
    cdef bint skipped_empty_line

    # What the fields say, gathered while they are read.
    cdef RequestLine line
    cdef BodyFields body_fields
    cdef bytes content_length
    cdef bytes transfer_encoding
    cdef bytes host
    cdef int hosts
    cdef bytes upgrade
    cdef bint connection_close
    cdef bint connection_keep_alive
    cdef bint connection_upgrade
    cdef bint parsed                # the parser found the end of the head as well
    cdef bint upgraded              # and left the message for an upgrade

    # The body: what is left of it, and the pieces that were not taken yet.
    cdef long long left
    cdef ChunkScan chunks
    cdef list pieces
    cdef Py_ssize_t piece_bytes
    cdef Py_ssize_t discarded       # bytes of a body that the application didn't want; the protocol counts them

    cdef Limits limits

    # Reading.
    cdef Py_ssize_t feed(self, char* data, Py_ssize_t size) except -1
    cdef void reset(self) noexcept
    cdef list take_pieces(self)

    # A head.
    cdef Py_ssize_t find_head(self, char* data, Py_ssize_t size) except -1
    cdef int line_ends(self, char* data, Py_ssize_t length) except -1
    cdef int check_unfinished(self, char* data, Py_ssize_t size) except -1
    cdef int read_head(self, char* data, Py_ssize_t size) except -1
    cdef int restart_parser(self) except -1
    cdef int finish_head(self) except -1
    cdef int set_target(self, const char* data) except -1
    cdef int set_authority(self, bytes target) except -1

    # The fields.
    cdef int read_fields(self, const char* data, Py_ssize_t at, Py_ssize_t end) except -1
    cdef int special_field(self, bytes name, bytes value) except -1
    cdef int read_connection(self, bytes value) except -1

    # The parser.
    cdef int parse(self, char* data, Py_ssize_t size) except -1

    # For the access log.
    cdef tuple request_line(self, char* data)
