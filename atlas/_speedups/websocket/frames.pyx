"""Frames of a client to messages, and messages to frames (RFC 6455, sections 5 to 8). Bytes in, messages out.

What breaks a rule raises :class:`ProtocolError` with the close code as its status, as soon as the first wrong byte is
there. A reader that has raised is of no use any more.

The payload is unmasked a word at a time. A message that has come whole is copied once, from the memory that the socket
was read into to the object that the application gets; memory for any other grows with what has come, whatever a head
announces.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.object cimport PyObject
from cpython.ref cimport Py_XDECREF
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.stdint cimport uint64_t
from libc.string cimport memcpy

from atlas._speedups.buffers.byte_buffers cimport WriteBuffer
from atlas._speedups.websocket.deflate cimport PerMessageDeflate

from atlas.errors import ProtocolError

cdef extern from "payload.h":
    void atlas_mask(unsigned char* data, size_t size, const unsigned char* key, uint64_t offset) noexcept nogil
    void atlas_mask_copy(
        unsigned char* to, const unsigned char* frm, size_t size, const unsigned char* key, uint64_t offset
    ) noexcept nogil
    bint atlas_text_continues(AtlasText* text, const unsigned char* data, size_t size) noexcept nogil

cdef extern from "Python.h":
    PyObject* new_bytes "PyBytes_FromStringAndSize"(const char* data, Py_ssize_t size) except NULL
    char* bytes_data "PyBytes_AS_STRING"(PyObject* data) noexcept
    int resize_bytes "_PyBytes_Resize"(PyObject** data, Py_ssize_t size) except -1

cdef enum:
    FIRST_CAPACITY = 4096       # of the memory for a message that comes in parts
    PROTOCOL_VIOLATION = 1002
    INVALID_DATA = 1007
    TOO_BIG = 1009


cdef int refuse(str reason) except -1:
    raise ProtocolError(PROTOCOL_VIOLATION, reason)


cdef int refuse_text() except -1:
    raise ProtocolError(INVALID_DATA, "text that is not UTF-8")


@cython.final
cdef class MessageReader:
    """Reads the frames of one client.

    :param max_size: the most bytes that a message may have, after it was inflated; 0 for no limit.
    :param deflate: what inflates compressed messages; None if compression was not negotiated.
    """

    def __cinit__(self, long long max_size, PerMessageDeflate deflate=None):
        self.max_size = max_size
        self.deflate = deflate

    def __dealloc__(self):
        Py_XDECREF(self.data)

    cdef Py_ssize_t feed(self, char* data, Py_ssize_t size) except -1:
        """Read up to the end of a message or of a control frame, and return how many bytes that took.

        ``ready`` tells what has become whole; :meth:`take` returns it. The bytes at ``data`` are changed.
        """
        cdef Py_ssize_t at = 0
        cdef Py_ssize_t piece
        while self.ready == CONTINUATION:
            if not self.in_frame:
                at += self.read_head(<unsigned char*>data + at, size - at)
                if not self.in_frame:
                    break
            piece = size - at
            if <unsigned long long>piece > self.length - self.position:
                piece = <Py_ssize_t>(self.length - self.position)
            if piece or self.position == self.length:
                self.read_payload(<unsigned char*>data + at, piece)
                at += piece
            if at == size:
                break
        return at

    cdef object take(self):
        """What has become whole: a message, or the payload of a control frame."""
        cdef object value = self.value
        self.value = None
        self.ready = CONTINUATION
        return value

    # A frame's head.

    cdef Py_ssize_t read_head(self, const unsigned char* data, Py_ssize_t size) except -1:
        """Read a head, or as much of it as there is; what isn't whole is kept."""
        cdef Py_ssize_t taken
        cdef int needed
        if self.head_size == 0 and size >= 2:
            needed = self.check_head(data, size)
            if size >= needed:
                self.begin_frame(data)
                return needed
        taken = 0
        while taken < size:
            self.head[self.head_size] = data[taken]
            self.head_size += 1
            taken += 1
            if self.check_head(self.head, self.head_size) == self.head_size:
                self.begin_frame(self.head)
                self.head_size = 0
                break
        return taken

    cdef int check_head(self, const unsigned char* head, Py_ssize_t size) except -1:
        """Check the ``size`` bytes of a head that are there, and return how many it has (at least; section 5.2)."""
        cdef int opcode = head[0] & 15
        cdef int length
        if head[0] & 0x30 or (head[0] & COMPRESSED and (self.deflate is None or opcode not in (TEXT, BINARY))):
            return refuse("a reserved bit is set")
        if opcode > PONG or BINARY < opcode < CLOSE:
            return refuse(f"the unknown opcode {opcode}")
        if opcode >= CLOSE:
            if not head[0] & FINAL:
                return refuse("a control frame that is fragmented")
        elif (opcode == CONTINUATION) != (self.kind != CONTINUATION):
            return refuse("a message within a message" if opcode else "a continuation of no message")
        if size < 2:
            return 2
        if not head[1] & 0x80:
            return refuse("a frame that is not masked")
        length = head[1] & 0x7F
        if opcode >= CLOSE and length > MAX_CONTROL:
            return refuse("a control frame of more than 125 bytes")
        if length < 126:
            return 6
        if length == 126:
            if size >= 4 and head[2] == 0 and head[3] < 126:
                return refuse("a length that has a shorter form")
            return 8
        if size >= 3 and head[2] & 0x80:
            return refuse("a length of more than 63 bits")
        if size >= 8 and not (head[2] | head[3] | head[4] | head[5] | head[6] | head[7]):
            return refuse("a length that has a shorter form")
        return MAX_HEAD

    cdef int begin_frame(self, const unsigned char* head) except -1:
        """The head is whole, and good."""
        cdef int length = head[1] & 0x7F
        cdef int at = 2
        cdef int i
        self.final = (head[0] & FINAL) != 0
        self.opcode = <Opcode>(head[0] & 15)
        self.length = length
        if length >= 126:
            at = 4 if length == 126 else 10
            self.length = 0
            for i in range(2, at):
                self.length = self.length << 8 | head[i]
        memcpy(self.key, head + at, 4)
        self.position = 0
        self.in_frame = True
        if self.opcode < CLOSE:
            if self.opcode != CONTINUATION:
                self.kind = self.opcode
                self.compressed = (head[0] & COMPRESSED) != 0
                self.received = 0
                self.text.missing = 0
            self.check_size()
        return 0

    cdef int check_size(self) except -1:
        """Is the message too big, by what the head announces? What is compressed may be a little larger than the limit."""
        cdef unsigned long long limit = self.max_size
        if self.compressed:
            limit += limit // 4 + 1024
        if self.max_size and self.length > limit - self.received:
            raise ProtocolError(TOO_BIG, f"a message of more than {self.max_size} bytes", "--ws-max-size")
        self.received += self.length
        return 0

    # Its payload.

    cdef int read_payload(self, unsigned char* data, Py_ssize_t size) except -1:
        """Read some of the payload of a frame, perhaps all of it."""
        cdef bint whole = size == <Py_ssize_t>self.length and self.position == 0
        cdef unsigned long long position = self.position
        self.position += size
        self.in_frame = self.position < self.length
        if self.opcode >= CLOSE:
            atlas_mask(data, size, self.key, position)
            return self.read_control(data, size)
        if whole and self.final and self.opcode != CONTINUATION and not self.compressed:
            return self.read_whole(data, size)
        if self.compressed:
            atlas_mask(data, size, self.key, position)
            self.inflate(<char*>data, size)
        elif size:
            self.reserve(size)
            atlas_mask_copy(<unsigned char*>bytes_data(self.data) + self.size, data, size, self.key, position)
            self.check_text(<unsigned char*>bytes_data(self.data) + self.size, size)
            self.size += size
        return self.finish_message() if self.final and not self.in_frame else 0

    cdef int read_whole(self, unsigned char* data, Py_ssize_t size) except -1:
        """A message of one frame, all of which is there."""
        cdef bytes message
        if self.kind == BINARY:
            message = PyBytes_FromStringAndSize(NULL, size)
            atlas_mask_copy(<unsigned char*>PyBytes_AS_STRING(message), data, size, self.key, 0)
            self.value = message
        else:
            atlas_mask(data, size, self.key, 0)
            self.value = decode(<const char*>data, size)
        self.ready = self.kind
        self.kind = CONTINUATION
        return 0

    cdef int read_control(self, unsigned char* data, Py_ssize_t size) except -1:
        memcpy(self.control + self.position - size, data, size)
        if not self.in_frame:
            self.ready = self.opcode
            self.value = PyBytes_FromStringAndSize(<char*>self.control, <Py_ssize_t>self.length)
        return 0

    cdef int inflate(self, char* data, Py_ssize_t size) except -1:
        """Inflate some of a message, and its end once that is there."""
        cdef bint ends = self.final and not self.in_frame
        cdef bytes piece = self.deflate.inflate(data, size, ends, self.size, self.max_size)
        cdef Py_ssize_t length = PyBytes_GET_SIZE(piece)
        if length == 0:
            return 0
        self.check_text(<const unsigned char*>PyBytes_AS_STRING(piece), length)
        self.reserve(length)
        memcpy(bytes_data(self.data) + self.size, PyBytes_AS_STRING(piece), length)
        self.size += length
        return 0

    cdef int finish_message(self) except -1:
        """The last frame of the message is whole."""
        cdef bytes message
        if self.kind == TEXT:
            if self.text.missing:
                return refuse_text()
            self.value = "" if self.size == 0 else decode(bytes_data(self.data), self.size)
        else:
            self.value = self.take_data()
        self.ready = self.kind
        return self.drop_message()

    cdef bytes take_data(self):
        """The bytes of the message, without another copy."""
        cdef bytes message
        if self.size == 0:
            return b""
        try:
            resize_bytes(&self.data, self.size)
            message = <bytes>self.data
        finally:
            self.size = 0
        return message

    cdef int drop_message(self) noexcept:
        Py_XDECREF(self.data)
        self.data = NULL
        self.size = self.capacity = 0
        self.kind = CONTINUATION
        return 0

    cdef int reserve(self, Py_ssize_t extra) except -1:
        """Make room for ``extra`` more bytes; the memory doubles, so that a message in small parts costs linear time."""
        cdef Py_ssize_t capacity = self.capacity or FIRST_CAPACITY
        if self.capacity - self.size >= extra:
            return 0
        while capacity - self.size < extra:
            capacity *= 2
        if self.data is NULL:
            self.data = new_bytes(NULL, capacity)
        else:
            resize_bytes(&self.data, capacity)
        self.capacity = capacity
        return 0

    cdef int check_text(self, const unsigned char* data, Py_ssize_t size) except -1:
        """Section 8.1: text is checked as it comes, not when it is whole."""
        if self.kind == TEXT and not atlas_text_continues(&self.text, data, size):
            return refuse_text()
        return 0


cdef str decode(const char* data, Py_ssize_t size):
    try:
        return PyUnicode_DecodeUTF8(data, size, NULL)
    except UnicodeDecodeError:
        pass
    refuse_text()  # out here, where the exception has no context


cdef int write_frame_head(WriteBuffer out, int first, unsigned long long size) except -1:
    """Write the head of a frame that is not masked, as those of a server (section 5.2)."""
    cdef unsigned char* head
    cdef int i
    out.reserve(10)
    head = <unsigned char*>out.data + out.size
    head[0] = <unsigned char>first
    if size < 126:
        head[1] = <unsigned char>size
        out.size += 2
    elif size < 65536:
        head[1] = 126
        head[2] = <unsigned char>(size >> 8)
        head[3] = <unsigned char>(size & 255)
        out.size += 4
    else:
        head[1] = 127
        for i in range(8):
            head[2 + i] = <unsigned char>(size >> (56 - 8 * i) & 255)
        out.size += 10
    return 0


cdef bint is_close_code(int code) noexcept nogil:
    """May a close frame carry this code (section 7.4, and IANA's registry)? Not those that say what no frame says."""
    return 1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999


cdef bytes close_payload(object code, object reason):
    """The payload of a close frame, as the application asks for it. Raises TypeError or ValueError."""
    cdef bytes text
    if not isinstance(code, int):
        raise TypeError(f"expected a close code as an int, got {code!r}")
    if not 0 <= code <= 4999 or not is_close_code(code):
        raise ValueError(f"expected a close code of 1000 to 1003, 1007 to 1014 or 3000 to 4999, got {code}")
    if reason is not None and not isinstance(reason, str):
        raise TypeError(f"expected the reason of a close as a str, got {reason!r}")
    text = (reason or "").encode()
    if len(text) > MAX_REASON:
        raise ValueError(f"expected a close reason of at most {MAX_REASON} bytes, got {len(text)}")
    return int(code).to_bytes(2, "big") + text


cdef tuple read_close(bytes payload):
    """The code and the reason of a close frame that came (section 5.5.1)."""
    cdef Py_ssize_t size = PyBytes_GET_SIZE(payload)
    cdef const unsigned char* data = <const unsigned char*>PyBytes_AS_STRING(payload)
    cdef int code
    if size == 0:
        return NO_CODE, ""
    if size == 1:
        refuse("a close frame of one byte")
    code = data[0] << 8 | data[1]
    if not is_close_code(code):
        refuse(f"a close frame with the code {code}")
    return code, decode(<const char*>data + 2, size - 2)
