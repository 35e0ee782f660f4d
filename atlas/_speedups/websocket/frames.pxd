"""Frames of a client to messages, and messages to frames (RFC 6455, sections 5 to 8)."""

from cpython.object cimport PyObject

from atlas._speedups.buffers.byte_buffers cimport WriteBuffer
from atlas._speedups.websocket.deflate cimport PerMessageDeflate

cdef extern from "payload.h":
    ctypedef struct AtlasText:
        unsigned char missing

cdef enum Opcode:
    CONTINUATION = 0
    TEXT = 1
    BINARY = 2
    CLOSE = 8
    PING = 9
    PONG = 10

cdef enum:
    FINAL = 0x80            # the last frame of a message
    COMPRESSED = 0x40       # RSV1: the message is compressed (RFC 7692, section 6)
    MAX_HEAD = 14           # bytes of the longest head of a frame
    MAX_CONTROL = 125       # bytes of the longest payload of a control frame


cdef class MessageReader:
    # What is read: the most bytes that a message may have (0: no limit), and what inflates it; None: nothing.
    cdef long long max_size
    cdef PerMessageDeflate deflate

    # The head of the current frame, while it isn't whole.
    cdef unsigned char[MAX_HEAD] head
    cdef int head_size

    # The current frame, once its head is whole.
    cdef bint in_frame
    cdef bint final
    cdef Opcode opcode
    cdef unsigned char[4] key
    cdef unsigned long long length
    cdef unsigned long long position        # bytes of its payload that have come

    # The current message: CONTINUATION while there is none. Its bytes so far are the first ``size`` of the bytes object
    # ``data``, which nothing else refers to; NULL where there are none.
    cdef Opcode kind
    cdef bint compressed
    cdef PyObject* data
    cdef Py_ssize_t size
    cdef Py_ssize_t capacity
    cdef unsigned long long received        # bytes of its payloads, as they came
    cdef AtlasText text

    # The payload of a control frame that isn't whole.
    cdef unsigned char[MAX_CONTROL] control

    # What is whole: a message (str or bytes) or the payload of a control frame (bytes); CONTINUATION: nothing.
    cdef Opcode ready
    cdef object value

    # Reading: feed() stops behind whatever becomes whole, and returns how many bytes that took.
    cdef Py_ssize_t feed(self, char* data, Py_ssize_t size) except -1
    cdef object take(self)

    # A frame's head.
    cdef Py_ssize_t read_head(self, const unsigned char* data, Py_ssize_t size) except -1
    cdef int check_head(self, const unsigned char* head, Py_ssize_t size) except -1
    cdef int begin_frame(self, const unsigned char* head) except -1
    cdef int check_size(self) except -1

    # Its payload.
    cdef int read_payload(self, unsigned char* data, Py_ssize_t size) except -1
    cdef int read_whole(self, unsigned char* data, Py_ssize_t size) except -1
    cdef int read_control(self, unsigned char* data, Py_ssize_t size) except -1
    cdef int inflate(self, char* data, Py_ssize_t size) except -1
    cdef int finish_message(self) except -1
    cdef bytes take_data(self)
    cdef int reserve(self, Py_ssize_t extra) except -1
    cdef int check_text(self, const unsigned char* data, Py_ssize_t size) except -1
    cdef int drop_message(self) noexcept


# The head of an unmasked frame: FINAL, COMPRESSED and an Opcode, and the size of the payload that follows.
cdef int write_frame_head(WriteBuffer out, int first, unsigned long long size) except -1

# Close frames: what may be sent, and what came. A payload that is missing has the code NO_CODE.
cdef enum:
    NO_CODE = 1005
    ABNORMAL = 1006
    MAX_REASON = 123

cdef bint is_close_code(int code) noexcept nogil
cdef bytes close_payload(object code, object reason)
cdef tuple read_close(bytes payload)
