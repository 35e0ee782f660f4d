"""What a request's head says, and the limits that it keeps."""

# The names that a protocol has to know; a name that is parsed is one of these very objects.
cdef bytes HOST
cdef bytes CONNECTION
cdef bytes CONTENT_LENGTH
cdef bytes TRANSFER_ENCODING
cdef bytes EXPECT
cdef bytes UPGRADE
cdef bytes CONTENT_ENCODING
cdef bytes TE

cdef bint is_forwarding(bytes name) noexcept
cdef bytes field_name(const char* data, Py_ssize_t size)
cdef str method_name(const char* data, Py_ssize_t size)

cdef enum TargetForm:
    ORIGIN_FORM         # /path?query
    ABSOLUTE_FORM       # http://authority/path?query
    ASTERISK_FORM       # *, with OPTIONS only

# Where the parts of a request line are; offsets count from the line's first byte.
cdef struct RequestLine:
    Py_ssize_t method_size
    Py_ssize_t target
    Py_ssize_t target_size
    Py_ssize_t path             # where the path begins, or where it would stand in an absolute-form without one
    Py_ssize_t query            # where the "?" is; the target's end if there is none
    TargetForm form
    bint http_10
    bint escaped                # there is a "%" in the path

cdef str read_request_line(RequestLine* line, char* data, Py_ssize_t size)
cdef bint is_host(const char* data, Py_ssize_t size) noexcept nogil
cdef str decode_path(bytes raw_path, bint keep_slashes)


cdef class Limits:
    cdef readonly Py_ssize_t request_line       # bytes of a request line
    cdef readonly Py_ssize_t head               # bytes of a whole head
    cdef readonly int fields                    # header fields in a head
    cdef readonly Py_ssize_t field              # bytes of one field line
    cdef readonly long long body                # bytes of a body; 0: no limit


cdef class RequestHead:
    # The request line, or the pseudo-header fields.
    cdef readonly str method
    cdef readonly bytes target          # as it came, whatever its form
    cdef readonly bytes raw_path        # percent-encoded, without the query
    cdef readonly bytes query_string
    cdef readonly bint http_10
    cdef bint escaped                   # there is a "%" in the path

    # The fields: (lower-case name, value), in order, duplicates kept.
    cdef readonly list headers

    # What the fields say about the message and the connection.
    cdef readonly bint has_body
    cdef readonly long long content_length      # bytes; -1 where the body's length isn't known
    cdef readonly bint keep_alive
    cdef readonly bint expects_continue
    cdef readonly bint accepts_trailers         # "TE: trailers"
    cdef bint has_coding                        # there is a Content-Encoding
    cdef bint forwarded                         # there are fields such as X-Forwarded-For
    cdef readonly bytes upgrade         # the value of Upgrade, where Connection lists it; else None

    cdef str path(self)
