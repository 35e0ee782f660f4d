"""Where a message ends: which framing its body has, and the framing of a chunked body, byte by byte.

Source of the former: RFC 9112, section 6.3, "Message Body Length", whose rules stand beside the branches that carry them
out, and section 6.1 for the combinations that are refused because two parties might read them differently.

Source of the latter: RFC 9112, section 7.1. The parser decodes chunks; what it leaves open is decided here: how long a
size may be, the grammar of extensions, how many bytes of extensions and trailers are accepted, that every line ends in
CRLF, and where exactly the message ends. Trailers are read here and dropped; the parser never sees them, for it would
obey some. Extensions are overwritten with one that it knows, for it refuses white space around ";" and "=".
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE

from atlas._speedups.http.characters cimport FIELD_VALUE, TOKEN, same_token

from atlas.errors import ProtocolError

cdef enum:
    MAX_SIZE_DIGITS = 16
    MAX_EXTENSION_BYTES = 4096
    MAX_TRAILERS = 32
    MAX_TRAILER_BYTES = 8192
    HTAB = 9
    LF = 10
    CR = 13
    SPACE = 32
    QUOTE = 34
    SEMICOLON = 59
    EQUALS = 61
    BACKSLASH = 92


cdef long long parse_length(const char* data, Py_ssize_t size) noexcept nogil:
    """1*DIGIT as a number (RFC 9110, section 8.6); -1 for anything else, and for a number over 63 bits."""
    cdef Py_ssize_t i
    cdef unsigned long long number = 0
    # 19 digits stay below 2^64, so that the sum can't wrap before it is compared.
    if size < 1 or size > 19:
        return -1
    for i in range(size):
        if not 48 <= data[i] <= 57:
            return -1
        number = number * 10 + <unsigned long long>(data[i] - 48)
    return -1 if number > 0x7FFFFFFFFFFFFFFFull else <long long>number


cdef Framing request_framing(
    bint http_10, BodyFields fields, bytes content_length, bytes transfer_encoding, long long* length
) except? NO_BODY:
    """The framing of a request; writes the body's size to ``length``. Raises ProtocolError(400 or 501)."""
    length[0] = 0
    if fields.transfer_encodings:
        # Rule 3: together they "ought to be handled as an error", and section 6.1: it might be request smuggling.
        if fields.content_lengths:
            raise ProtocolError(400, "Content-Length together with Transfer-Encoding")
        # Section 6.1: "A server that receives an HTTP/1.0 message containing a Transfer-Encoding header field MUST
        # treat the message as if the framing is faulty".
        if http_10:
            raise ProtocolError(400, "Transfer-Encoding in an HTTP/1.0 request")
        if not same_token(PyBytes_AS_STRING(transfer_encoding), PyBytes_GET_SIZE(transfer_encoding), b"chunked", 7):
            refuse_codings(transfer_encoding)
        return CHUNKED
    if fields.content_lengths:
        # Rule 5 lets a list of equal numbers pass; we don't: a second one never comes from an honest client.
        if fields.content_lengths > 1:
            raise ProtocolError(400, "more than one Content-Length")
        length[0] = parse_length(PyBytes_AS_STRING(content_length), PyBytes_GET_SIZE(content_length))
        if length[0] < 0:
            length[0] = 0
            raise ProtocolError(400, "a Content-Length that is not one plain number")
        return BY_LENGTH if length[0] else NO_BODY
    return NO_BODY  # rule 7


cdef int refuse_codings(bytes transfer_encoding) except -1:
    """Refuse transfer codings other than chunked alone. ``transfer_encoding`` has those of all fields, in order."""
    cdef list codings = [coding.strip(b" \t").lower() for coding in transfer_encoding.split(b",")]
    # Rule 4: without chunked at the end "the message body length cannot be determined reliably; the server MUST respond
    # with the 400 (Bad Request) status code".
    if codings[len(codings) - 1] != b"chunked":
        return refuse("a Transfer-Encoding that does not end in chunked")
    # Section 6.1: "A sender MUST NOT apply the chunked transfer coding more than once to a message body."
    if codings.count(b"chunked") > 1 or b"" in codings:
        return refuse("a malformed Transfer-Encoding")
    # Section 6.1: a coding that isn't understood "SHOULD" be answered with 501.
    raise ProtocolError(501, "a transfer coding other than chunked")


cdef Framing response_framing(
    bint bodyless, bint http_10, bint has_length, bint whole, bint trailers
) noexcept nogil:
    """The framing of a response.

    ``bodyless``: in answer to HEAD, or of a status that has no body. ``has_length``: the application gave a
    content-length. ``whole``: the whole body is in hand, so that its length is known. ``trailers``: trailer fields
    follow, which only chunked framing can carry.
    """
    if bodyless:
        return NO_BODY  # rule 1
    if has_length:
        return BY_LENGTH  # rule 6
    if whole and not (trailers and not http_10):
        return BY_LENGTH
    # Rule 4; and rule 8 for HTTP/1.0, which doesn't know chunks.
    return UNTIL_CLOSE if http_10 else CHUNKED


# A chunked body.


cdef void start_chunks(ChunkScan* scan) noexcept nogil:
    scan.state = CHUNK_SIZE
    scan.digits = 0
    scan.left = 0
    scan.total = 0
    scan.extension_bytes = 0
    scan.trailers = 0
    scan.trailer_bytes = 0


cdef inline int hex_digit(unsigned char c) noexcept nogil:
    if 48 <= c <= 57:
        return c - 48
    if 97 <= (c | 32) <= 102:
        return (c | 32) - 87
    return -1


cdef int refuse(str reason) except -1:
    raise ProtocolError(400, reason)


cdef int size_byte(ChunkScan* scan, unsigned char c) except -1:
    """One byte of a chunk size: a digit, or what may follow the digits."""
    cdef int digit = hex_digit(c)
    if digit >= 0:
        scan.digits += 1
        if scan.digits > MAX_SIZE_DIGITS:
            return refuse("a chunk size of more than 16 digits")
        scan.left = (scan.left << 4) | <unsigned long long>digit
    elif scan.digits == 0:
        return refuse("a chunk size that is not hexadecimal")
    elif c == CR:
        scan.state = CHUNK_SIZE_LF
    elif c == SEMICOLON or c == SPACE or c == HTAB:
        scan.state = EXTENSION_BLANK
        return extension_byte(scan, c)
    else:
        return refuse("a chunk size that is not hexadecimal")
    return 0


cdef int extension_byte(ChunkScan* scan, unsigned char c) except -1:
    """One byte of the extensions of a chunk, or the CR after them (RFC 9112, section 7.1.1)."""
    cdef ChunkState state = scan.state
    if c == CR and (state == EXTENSION_NAME or state == EXTENSION_VALUE or state == EXTENSION_END):
        scan.state = CHUNK_SIZE_LF
        return 0
    scan.extension_bytes += 1
    if scan.extension_bytes > MAX_EXTENSION_BYTES:
        return refuse("more than 4 KiB of chunk extensions")
    if state == EXTENSION_QUOTED or state == EXTENSION_ESCAPED:
        return quoted_byte(scan, c)
    if TOKEN[c]:
        if state == EXTENSION_START:
            scan.state = EXTENSION_NAME
        elif state == EXTENSION_EQUALS:
            scan.state = EXTENSION_VALUE
        elif state != EXTENSION_NAME and state != EXTENSION_VALUE:
            return refuse("a malformed chunk extension")
        return 0
    if c == SPACE or c == HTAB:
        if state == EXTENSION_NAME:
            scan.state = EXTENSION_NAMED
        elif state == EXTENSION_VALUE or state == EXTENSION_END:
            scan.state = EXTENSION_BLANK
        return 0
    return extension_delimiter(scan, c)


cdef int extension_delimiter(ChunkScan* scan, unsigned char c) except -1:
    cdef ChunkState state = scan.state
    if c == SEMICOLON and state != EXTENSION_START and state != EXTENSION_EQUALS:
        scan.state = EXTENSION_START
    elif c == EQUALS and (state == EXTENSION_NAME or state == EXTENSION_NAMED):
        scan.state = EXTENSION_EQUALS
    elif c == QUOTE and state == EXTENSION_EQUALS:
        scan.state = EXTENSION_QUOTED
    else:
        return refuse("a malformed chunk extension")
    return 0


cdef int quoted_byte(ChunkScan* scan, unsigned char c) except -1:
    """One byte of a value that is a quoted-string (RFC 9110, section 5.6.4)."""
    if not FIELD_VALUE[c]:
        return refuse("a control character in a chunk extension")
    if scan.state == EXTENSION_ESCAPED:
        scan.state = EXTENSION_QUOTED
    elif c == BACKSLASH:
        scan.state = EXTENSION_ESCAPED
    elif c == QUOTE:
        scan.state = EXTENSION_END
    return 0


cdef int size_line_ends(ChunkScan* scan, long long limit) except -1:
    """A chunk's size is known: check it against the limit, and go on to its data or to the trailers."""
    scan.digits = 0
    if scan.left == 0:
        scan.state = TRAILER_START
        return 0
    if scan.left > <unsigned long long>(0x7FFFFFFFFFFFFFFFll - scan.total):
        return refuse("a chunk size beyond all limits")
    scan.total += <long long>scan.left
    if limit and scan.total > limit:
        raise ProtocolError(413, f"a chunked request body of more than {limit} bytes", "--limit-request-body")
    scan.state = CHUNK_DATA
    return 0


cdef int trailer_byte(ChunkScan* scan, unsigned char c) except -1:
    """One byte of a trailer field, or of the empty line that ends them all."""
    scan.trailer_bytes += 1
    if scan.trailer_bytes > MAX_TRAILER_BYTES:
        return refuse("more than 8 KiB of trailers")
    if scan.state == TRAILER_VALUE:
        if c == CR:
            scan.state = TRAILER_LF
        elif not FIELD_VALUE[c]:
            return refuse("a control character in a trailer")
        return 0
    if scan.state == TRAILER_START:
        if c == CR:
            scan.state = TRAILER_END_LF
            return 0
        scan.trailers += 1
        if scan.trailers > MAX_TRAILERS:
            return refuse("more than 32 trailers")
    elif c == 58:  # ":"
        scan.state = TRAILER_VALUE
        return 0
    if not TOKEN[c]:
        return refuse("a trailer that does not begin with a name and a colon")
    scan.state = TRAILER_NAME
    return 0


cdef int framing_byte(ChunkScan* scan, unsigned char c, long long limit) except -1:
    """One byte that is not data."""
    if scan.state == CHUNK_SIZE:
        return size_byte(scan, c)
    if EXTENSION_BLANK <= scan.state <= EXTENSION_END:
        return extension_byte(scan, c)
    if scan.state == CHUNK_DATA_CR:
        scan.state = CHUNK_DATA_LF
        return 0 if c == CR else refuse("chunk data that does not end in CRLF")
    if scan.state == TRAILER_START or scan.state == TRAILER_NAME or scan.state == TRAILER_VALUE:
        return trailer_byte(scan, c)
    # What is left are the states that wait for one LF.
    if c != LF:
        return refuse("a bare CR in chunked framing")
    if scan.state == CHUNK_SIZE_LF:
        return size_line_ends(scan, limit)
    if scan.state == CHUNK_DATA_LF:
        scan.state = CHUNK_SIZE
    elif scan.state == TRAILER_LF:
        scan.state = TRAILER_START
    else:
        scan.state = CHUNKS_DONE
    return 0


cdef Py_ssize_t scan_chunks(ChunkScan* scan, char* data, Py_ssize_t size, long long limit) except -1:
    """Pass over what belongs to this body; returns how many bytes that is, and in ``body_end`` how many of them come
    before the trailers.

    The bytes of extensions are overwritten, those of each chunk with ``;xx...``. ``limit`` is the most data bytes a body may have, 0 for no limit. Raises ProtocolError(400 or 413).
    """
    cdef Py_ssize_t at = 0
    cdef bint in_size
    scan.body_end = 0
    while at < size and scan.state != CHUNKS_DONE:
        if scan.state == CHUNK_DATA:
            if <unsigned long long>(size - at) < scan.left:
                scan.left -= <unsigned long long>(size - at)
                scan.body_end = size
                return size
            at += <Py_ssize_t>scan.left
            scan.left = 0
            scan.state = CHUNK_DATA_CR
        else:
            in_size = scan.state == CHUNK_SIZE
            framing_byte(scan, <unsigned char>data[at], limit)
            if EXTENSION_BLANK <= scan.state <= EXTENSION_END:
                data[at] = b";" if in_size else b"x"
            at += 1
        if scan.state < TRAILER_START or (scan.state == TRAILER_START and scan.trailers == 0):
            scan.body_end = at
    return at
