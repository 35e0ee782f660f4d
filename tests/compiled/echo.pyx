"""A protocol that sends back what it receives: the smallest that a connection can carry."""

from atlas._speedups.buffers.connection cimport Connection, Protocol


cdef class EchoProtocol(Protocol):
    """Sends back every byte. It waits for a client that doesn't read, and closes after ``limit`` idle seconds.

    :param seconds: of silence after which it closes.
    """

    cdef double seconds
    cdef readonly bint is_lost

    def __init__(self, double seconds=60.0):
        self.seconds = seconds

    cdef int start(self) except -1:
        return self.connection.set_timeout(self.seconds)

    cdef int feed(self, char* data, Py_ssize_t size) except -1:
        self.connection.writer.buffer().append(data, size)
        self.connection.set_timeout(self.seconds)
        return self.connection.writer.written(True)

    cdef int end_turn(self) except -1:
        self.connection.writer.flush()
        if self.connection.writer.is_writable():
            return self.connection.resume_reading()
        return self.connection.pause_reading()

    cdef int lost(self) except -1:
        self.is_lost = True
        return 0


cdef int freed = 0      # GreetingProtocols


cdef class GreetingProtocol(Protocol):
    """Waits for one line, answers it, and hands the connection over to an :class:`EchoProtocol`."""

    def __dealloc__(self):
        global freed
        freed += 1

    cdef int feed(self, char* data, Py_ssize_t size) except -1:
        cdef Connection connection = self.connection
        cdef bytes line = data[:size]
        cdef int before = freed
        head, _, rest = line.partition(b"\n")
        connection.writer.buffer().append_bytes(b"hello " + head + b"\n")
        connection.set_protocol(EchoProtocol(), rest, len(rest))
        if freed != before:
            raise RuntimeError("the protocol was freed while one of its methods ran")
        return 0
