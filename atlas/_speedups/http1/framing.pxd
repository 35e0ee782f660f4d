"""Where a message ends: which framing its body has, and the framing of a chunked body."""

cdef enum Framing:
    NO_BODY         # ends with its head
    BY_LENGTH       # content-length says how long
    CHUNKED         # transfer-encoding: chunked
    UNTIL_CLOSE     # ends with the connection (responses only)

# What the fields of a request head say about its body, gathered while they are read.
cdef struct BodyFields:
    int content_lengths         # how many Content-Length fields there were
    int transfer_encodings      # how many Transfer-Encoding fields there were

cdef long long parse_length(const char* data, Py_ssize_t size) noexcept nogil
cdef Framing request_framing(
    bint http_10, BodyFields fields, bytes content_length, bytes transfer_encoding, long long* length
) except? NO_BODY
cdef Framing response_framing(
    bint bodyless, bint http_10, bint has_length, bint whole, bint trailers
) noexcept nogil

cdef enum ChunkState:
    CHUNK_SIZE          # in the digits of a chunk size
    EXTENSION_BLANK     # white space before a ";"
    EXTENSION_START     # after a ";", before a name
    EXTENSION_NAME      # in the name of a chunk extension
    EXTENSION_NAMED     # white space after a name
    EXTENSION_EQUALS    # after a "=", before a value
    EXTENSION_VALUE     # in a value that is a token
    EXTENSION_QUOTED    # in a value that is a quoted-string
    EXTENSION_ESCAPED   # after a backslash in it
    EXTENSION_END       # after its closing quote
    CHUNK_SIZE_LF       # the LF that ends a size line
    CHUNK_DATA          # in the data
    CHUNK_DATA_CR       # the CR after it
    CHUNK_DATA_LF       # the LF after that
    TRAILER_START       # at the start of a trailer line
    TRAILER_NAME        # in a trailer's name
    TRAILER_VALUE       # in its value
    TRAILER_LF          # the LF that ends a trailer line
    TRAILER_END_LF      # the LF of the empty line that ends it all
    CHUNKS_DONE

# Where a body is, and what it has used of its limits.
cdef struct ChunkScan:
    ChunkState state
    int digits                      # of the current chunk size
    unsigned long long left         # data bytes left in the current chunk
    long long total                 # data bytes announced so far
    int extension_bytes             # in the whole request
    int trailers                    # trailer fields so far
    int trailer_bytes
    Py_ssize_t body_end             # of the bytes last scanned: how many come before the trailers

cdef void start_chunks(ChunkScan* scan) noexcept nogil
cdef Py_ssize_t scan_chunks(ChunkScan* scan, char* data, Py_ssize_t size, long long limit) except -1
