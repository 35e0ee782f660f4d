"""Which body framing a message has; the only place that knows."""

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
cdef bint forbids_body(int status) noexcept nogil
cdef Framing request_framing(
    bint http_10, BodyFields fields, bytes content_length, bytes transfer_encoding, long long* length
) except? NO_BODY
cdef Framing response_framing(
    bint head_method, int status, bint http_10, bint has_length, bint single, bint trailers
) noexcept nogil
