"""What the connections of one event loop share at the level of sockets: read buffer, write buffers, counters.

Nothing of it is global: two servers in two threads share nothing.
"""

from heapq import nsmallest

cimport cython
from cpython.bytearray cimport PyByteArray_AS_STRING

cdef extern from *:
    """
    #include <time.h>
    static double atlas_monotonic(void) {
        struct timespec t;
    #ifdef CLOCK_MONOTONIC_COARSE
        clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
    #else
        clock_gettime(CLOCK_MONOTONIC, &t);
    #endif
        return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
    }
    static double atlas_precise_monotonic(void) {
        struct timespec t;
        clock_gettime(CLOCK_MONOTONIC, &t);
        return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
    }
    """
    double atlas_monotonic() noexcept nogil
    double atlas_precise_monotonic() noexcept nogil

cdef extern from *:
    """
    #include <errno.h>
    #ifdef _WIN32
    static int atlas_accept(int fd) { return -ENOSYS; }
    #else
    #include <fcntl.h>
    #include <sys/socket.h>
    #include <unistd.h>
    /* The descriptor of a connection that waited, non-blocking and closed by exec; a negative errno if none did. */
    static int atlas_accept(int fd) {
    #ifdef __linux__
        int accepted = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        return accepted < 0 ? -errno : accepted;
    #else
        int accepted = accept(fd, NULL, NULL);
        if (accepted < 0) {
            return -errno;
        }
        fcntl(accepted, F_SETFD, FD_CLOEXEC);
        fcntl(accepted, F_SETFL, fcntl(accepted, F_GETFL) | O_NONBLOCK);
        return accepted;
    #endif
    }
    #endif
    """
    int atlas_accept(int fd) noexcept nogil

cdef enum:
    MAX_POOLED = 64     # write buffers
    DROPPED_SHARE = 64  # one in so many connections is closed when there is no room: the search for them takes its time


cdef double monotonic() noexcept nogil:
    """The clock of all deadlines, in seconds: steady, cheap, a few milliseconds coarse."""
    return atlas_monotonic()


cdef double precise_monotonic() noexcept nogil:
    """The clock of durations, in seconds: steady and precise, and four times the instructions."""
    return atlas_precise_monotonic()


@cython.final
cdef class ConnectionSet:
    """The connections of one event loop.

    :param loop: the asyncio event loop that everything runs on.
    :param events: an object with the methods ``on_first_connection()``, ``on_below_connection_limit()`` (one of ``limit``
        connections closed), ``on_all_connections_closed()`` (the last one closed, while stopping) and
        ``on_unexpected_error(text, exception)``.
    :param limit: how many connections may be open; 0 for no limit.
    :param write_timeout: seconds without progress after which a connection is aborted whose peer reads nothing.
    """

    def __cinit__(self, loop, events, long limit=0, double write_timeout=60.0):
        cdef object memory = bytearray(READ_SIZE)
        self.read_view = memoryview(memory)  # while it is exported the bytearray can't be resized
        self.read_data = PyByteArray_AS_STRING(memory)
        self.loop = loop
        self.events = events
        self.limit = limit
        self.write_timeout = write_timeout
        self.connections = set()
        self.buffers = []
        self.unflushed = []
        self.traffic = &self.own_traffic

    @property
    def full(self):
        """Are as many connections open as allowed?"""
        return 0 < self.limit <= self.open

    def make_room(self, double seconds=1.0):
        """A client waits for a place: close the connections that have been idle for longest.

        Where none is, each connection that ends what it has begun is closed until there is room.

        :param seconds: how long a connection is spared: one that was just accepted will begin soon.
        :returns: how many are closed.
        """
        cdef double latest = atlas_monotonic() - seconds
        cdef list idle = []
        for connection in self.connections:
            since = connection.idle_since()
            if 0 <= since <= latest:
                idle.append((since, id(connection), connection))
        cdef list longest = nsmallest(max(1, self.open // DROPPED_SHARE), idle)
        for _, _, connection in longest:
            connection.drop()
        self.crowded = not longest
        return len(longest)

    def drain(self):
        """Begin to stop: connections close when what is begun is done. One that is idle stays open until :meth:`stop`."""
        self.stopping = self.draining = True
        self.each(drain)

    def stop(self):
        """Shut every connection down: each closes as soon as its protocol has nothing left to do."""
        self.stopping, self.draining = True, False
        self.each(shut_down)

    def end_now(self):
        """Tell every protocol that the graceful time-out has passed."""
        self.each(end_now)

    def count_sent(self, Py_ssize_t size):
        """Count bytes that were sent past the writers, by sendfile(2)."""
        self.traffic.sent += size

    def abort(self):
        """End every connection at once."""
        self.each(abort)

    def check_timeouts(self):
        """Carry out every time-out that is due; called by the server's one timer."""
        cdef double now = atlas_monotonic()
        self.each(lambda connection: connection.check_timeout(now))

    def each(self, call):
        """Call ``call(connection)`` for every connection. One that fails is aborted; the others have their turn."""
        for connection in list(self.connections):
            try:
                call(connection)
            except Exception as error:
                self.fail(connection, error)

    def flush(self):
        """Write what was gathered in this turn of the loop."""
        cdef list connections = self.unflushed
        self.unflushed = []
        for connection in connections:
            try:
                connection.end_turn()
            except Exception as error:
                self.fail(connection, error)

    def fail(self, connection, error):
        """Give up one connection that raised."""
        self.events.on_unexpected_error("unexpected error in a connection", error)
        connection.abort()

    def close(self):
        """Cut the reference cycles; the set is of no use afterwards."""
        self.buffer = None
        self.buffers.clear()
        self.unflushed.clear()

    cdef int count_in(self, Traffic* traffic, object owner) except -1:
        """Count in this memory, which ``owner`` holds."""
        self.traffic, self.traffic_owner = traffic, owner
        traffic.open = self.open
        return 0

    cdef WriteBuffer borrow_buffer(self):
        cdef WriteBuffer buffer = self.buffer
        if buffer is not None:
            self.buffer = None
            return buffer
        return <WriteBuffer>self.buffers.pop() if self.buffers else WriteBuffer.__new__(WriteBuffer)

    cdef int return_buffer(self, WriteBuffer buffer) except -1:
        buffer.clear()
        if self.buffer is None:
            self.buffer = buffer
        elif len(self.buffers) < MAX_POOLED:
            self.buffers.append(buffer)
        return 0

    cdef int flush_later(self, object connection) except -1:
        """Have ``connection.end_turn()`` called when the current turn of the loop ends."""
        self.unflushed.append(connection)
        if len(self.unflushed) == 1:
            self.loop.call_soon(self.flush)
        return 0

    cdef object shared_address(self, object address):
        """``address``, or the equal object that another connection has already."""
        if address != self.local_address:
            self.local_address = address
        return self.local_address

    cdef str shared_host(self, str host):
        """``host``, or the equal object that another connection has already: behind a proxy all have the same."""
        if host != self.peer_host:
            self.peer_host = host
        return self.peer_host

    cdef int opened(self) except -1:
        """A connection was accepted."""
        self.open += 1
        self.traffic.open = self.open
        self.traffic.accepted += 1
        if self.open == 1:
            self.events.on_first_connection()
        return 0

    cdef int closed(self) except -1:
        """A connection is closed."""
        self.open -= 1
        self.traffic.open = self.open
        self.crowded = False
        if self.open == self.limit - 1:
            self.events.on_below_connection_limit()
        if self.open == 0 and self.stopping:
            self.events.on_all_connections_closed()
        return 0


def drain(connection):
    connection.drain()


def shut_down(connection):
    connection.shut_down()


def end_now(connection):
    connection.end_now()


def abort(connection):
    connection.abort()


def accept_connection(int listening):
    """Accept a connection that waits at a listening socket.

    ``socket.accept`` formats the address of the client and raises where none waits, which costs more than the call.

    :param listening: the descriptor of the socket, which is non-blocking.
    :returns: a descriptor that is non-blocking and not inherited by children; a negative errno if there is none.
    """
    return atlas_accept(listening)
