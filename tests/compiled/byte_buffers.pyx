"""The buffers of ``atlas._speedups.buffers.byte_buffers`` with Python arguments and results."""

from cpython.bytes cimport PyBytes_FromStringAndSize

from atlas._speedups.buffers.byte_buffers cimport (
    ReceiveBuffer, WriteBuffer, receive_append, receive_clear, receive_consume
)


cdef class Received:
    """A receive buffer."""

    cdef ReceiveBuffer buffer

    def __dealloc__(self):
        receive_clear(&self.buffer)

    def append(self, bytes data not None):
        """Append ``data``."""
        receive_append(&self.buffer, data, len(data))

    def consume(self, Py_ssize_t size):
        """Forget the first ``size`` bytes, or all there are."""
        receive_consume(&self.buffer, size)

    @property
    def data(self):
        """The bytes that wait."""
        waiting = self.buffer.end - self.buffer.start
        return PyBytes_FromStringAndSize(self.buffer.data + self.buffer.start, waiting) if waiting else b""

    @property
    def capacity(self):
        """The memory that is held for them, in bytes."""
        return self.buffer.capacity


cdef class Written:
    """A write buffer."""

    cdef WriteBuffer buffer

    def __init__(self):
        self.buffer = WriteBuffer()

    def append(self, bytes data not None):
        """Append ``data``."""
        self.buffer.append_bytes(data)

    def append_decimal(self, unsigned long long number):
        """Append ``number`` in decimal digits."""
        self.buffer.append_decimal(number)

    def append_hex(self, unsigned long long number):
        """Append ``number`` in lower-case hexadecimal digits."""
        self.buffer.append_hex(number)

    def consume(self, Py_ssize_t size):
        """Forget the first ``size`` bytes; ValueError if there are fewer."""
        if not 0 <= size <= self.buffer.size:
            raise ValueError(f"expected 0 to {self.buffer.size} bytes to consume, got {size}")
        self.buffer.consume(size)

    def take(self):
        """Everything gathered, as bytes; the buffer is empty afterwards."""
        return self.buffer.take()

    @property
    def capacity(self):
        """The memory that is held, in bytes."""
        return self.buffer.capacity

    def __len__(self):
        return self.buffer.size
