"""The request line: method, target and version, and what a target's bytes mean."""

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
cdef str decode_path(bytes raw_path)
