"""permessage-deflate (RFC 7692): what is negotiated, and the compression of messages."""


cdef class DeflateSettings:
    # What the server wants: the window of each side, and whether it is kept from message to message.
    cdef readonly int window_bits
    cdef readonly bint context_takeover


cdef class PerMessageDeflate:
    # What was agreed on. A context that is not taken over is new for each message.
    cdef readonly int server_window_bits
    cdef readonly int client_window_bits
    cdef readonly bint server_takeover
    cdef readonly bint client_takeover

    # The contexts, each made for the first message that needs it.
    cdef object compressor
    cdef object decompressor

    # The answer in the handshake.
    cdef str answer(self)

    # A whole message, and a piece of one. inflate() raises ProtocolError: 1007, or 1009 beyond ``limit`` bytes.
    cdef bytes deflate(self, object data)
    cdef bytes inflate(self, char* data, Py_ssize_t size, bint ends, Py_ssize_t before, long long limit)
    cdef bytes inflate_some(self, object data, Py_ssize_t most)


cdef PerMessageDeflate negotiate(list offers, DeflateSettings settings)
