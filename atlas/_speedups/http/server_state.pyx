"""What the connections of one event loop share: memory, pools, the Date line, limits, counters.

Nothing of it is global, so that two servers in two threads share nothing.
"""

from email.utils import formatdate
from time import time as wall_time
from urllib.parse import quote

from cpython.buffer cimport PyBUF_WRITE
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from cpython.memoryview cimport PyMemoryView_FromMemory
from libc.time cimport time

from atlas._speedups.http.access_line cimport access_line

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
    """
    double atlas_monotonic() noexcept nogil

cdef enum:
    POOLED = 64     # readers and buffers that are kept for the next who needs one


def monotonic():
    """The clock of all deadlines, in seconds: steady, cheap, a few milliseconds coarse."""
    return atlas_monotonic()


cdef class ServerState:
    """The shared half of all connections of one loop.

    :param loop: the asyncio event loop that everything runs on.
    :param gateway: has ``start(exchange)`` and ``disconnect(exchange)`` (see ``atlas/gateway/contract.py``).
    :param settings: an object with the fields of :class:`atlas.server.settings.Settings`.
    :param events: told what happens: ``refused(error, client)`` when a request is turned away,
        ``mistake(text, exception)`` when something went wrong that should not, ``enough()`` when
        ``limit_max_requests`` have been begun, ``busy()`` when the first connection opens, ``full()`` and ``room()`` when
        ``limit_connections`` are open and when one less is, ``drained()`` when the last one closes during a stop.
    :param limit_connections: how many may be open, 0 for no limit.
    :param access_log: an :class:`atlas.server.access_log.AccessLog`, or None.
    :param state: the lifespan state, copied for each request; None where lifespan is off.
    """

    def __cinit__(self, *args, **kwargs):
        self.read_data = <char*>PyMem_Malloc(READ_SIZE)
        if self.read_data is NULL:
            raise MemoryError
        self.read_view = <char[:READ_SIZE]>self.read_data
        self.read_view = PyMemoryView_FromMemory(self.read_data, READ_SIZE, PyBUF_WRITE)

    def __init__(self, loop, gateway, settings, events, long limit_connections=0, access_log=None, dict state=None):
        self.loop = loop
        self.gateway = gateway
        self.settings = settings
        self.events = events
        self.limit_connections = limit_connections
        self.state = state
        self.readers = []
        self.buffers = []
        self.unflushed = []
        self.connections = set()
        self.access_log = access_log
        self.access_records = access_log.records if access_log is not None else None
        self.access_lines = WriteBuffer() if access_log is not None and access_log.takes_lines else None
        self.read_settings(settings)
        self.make_lines(settings)
        self.make_template(settings)

    def __dealloc__(self):
        PyMem_Free(self.read_data)

    def read_settings(self, settings):
        """Take over what every request needs, so that none has to ask."""
        self.limits = Limits(
            request_line=settings.limit_request_line,
            head=settings.limit_request_head,
            fields=settings.limit_request_fields,
            field=settings.limit_request_field,
            body=settings.limit_request_body,
        )
        self.limit_concurrency = settings.limit_concurrency or 0
        self.limit_max_requests = settings.limit_max_requests or 0
        self.timeout_head = settings.timeout_request_head
        self.timeout_body = settings.timeout_request_body
        self.timeout_write = settings.timeout_write
        self.timeout_keep_alive = settings.timeout_keep_alive

    def make_lines(self, settings):
        """The server and ``--header`` lines; the date line is made when its second has come."""
        given = {name.lower() for name, _ in settings.headers}
        own_server = settings.server_header and "server" not in given
        self.date_header = settings.date_header and "date" not in given
        self.server_line = b"server: atlas\r\n" if own_server else b""
        self.extra_lines = b"".join(
            f"{name}: {value}\r\n".encode("latin-1") for name, value in settings.headers
        )
        self.date_second = -1
        self.date_line = b""
        self.all_lines = self.server_line + self.extra_lines

    def make_template(self, settings):
        """A scope in which only what differs from request to request is to be set."""
        if settings.root_path:
            self.root_path = settings.root_path
            self.raw_root_path = quote(settings.root_path, safe="/:@!$&'()*+,;=-._~").encode()
        self.scope_template = {
            "type": "http",
            "asgi": None,
            "http_version": "1.1",
            "server": None,
            "client": None,
            "scheme": "http",
            "root_path": settings.root_path,
            "method": None,
            "path": None,
            "raw_path": None,
            "query_string": None,
            "headers": None,
            "extensions": None,
        }
        if self.state is not None:
            self.scope_template["state"] = None

    def stop(self):
        """From now on every response is the last of its connection, and idle connections close."""
        self.stopping = True
        for connection in list(self.connections):
            try:
                connection.say_goodbye()
            except Exception as error:
                self.broken(connection, error)

    def end_exchanges(self):
        """The grace is over: tell the applications, and cut who has none."""
        for connection in list(self.connections):
            try:
                connection.end_for_shutdown()
            except Exception as error:
                self.broken(connection, error)

    def cut(self):
        """End every connection at once."""
        for connection in list(self.connections):
            try:
                connection.abort()
            except Exception as error:
                self.broken(connection, error)

    def sweep(self):
        """Carry out every time-out that is due; called by the server's one sweeper."""
        cdef double now = self.now()
        for connection in list(self.connections):
            try:
                connection.check_deadline(now)
            except Exception as error:
                self.broken(connection, error)

    def flush(self):
        """Write what the connections gathered in this turn of the loop."""
        cdef list channels = self.unflushed
        self.unflushed = []
        for channel in channels:
            try:
                channel.flush_now()
            except Exception as error:
                self.broken(channel, error)

    def broken(self, connection, error):
        """One connection's mishap is not to keep the others from their turn: tell of it, and give that one up."""
        self.events.on_unexpected_error("a connection broke", error)
        connection.abort()

    def close(self):
        """Cut the cycles; the worker is of no use afterwards."""
        while self.readers:
            (<RequestParser>self.readers.pop()).discard()
        self.buffers.clear()
        self.unflushed.clear()
        self.gateway = self.events = None
        self.access_log = self.access_records = None

    cdef object shared_address(self, object address):
        """``address``, or the equal one that another connection has already: most come in at the same."""
        if address != self.server_address:
            self.server_address = address
        return self.server_address

    cdef int opened(self) except -1:
        """A connection was accepted."""
        self.open += 1
        if self.open == 1:
            self.events.on_first_connection()
        if self.open == self.limit_connections:
            self.events.on_connection_limit()
        return 0

    cdef int closed(self) except -1:
        """A connection is gone."""
        self.open -= 1
        if self.open == self.limit_connections - 1:
            self.events.on_below_connection_limit()
        if self.open == 0 and self.stopping:
            self.events.on_all_connections_closed()
        return 0

    cdef double now(self) noexcept:
        return atlas_monotonic()

    cdef RequestParser borrow_reader(self):
        if self.readers:
            return <RequestParser>self.readers.pop()
        return RequestParser(self.limits)

    cdef int give_reader(self, RequestParser reader) except -1:
        if len(self.readers) >= POOLED:
            return reader.discard()
        reader.reset()
        self.readers.append(reader)
        return 0

    cdef WriteBuffer borrow_buffer(self):
        if self.buffers:
            return <WriteBuffer>self.buffers.pop()
        return WriteBuffer()

    cdef void give_buffer(self, WriteBuffer buffer) noexcept:
        buffer.clear()
        if len(self.buffers) < POOLED:
            self.buffers.append(buffer)

    cdef int refresh_date(self) except -1:
        """RFC 9110, section 6.6.1, in the form of section 5.6.7; made once a second."""
        cdef long long second = time(NULL)
        if second != self.date_second:
            self.date_second = second
            self.date_line = f"date: {formatdate(second, usegmt=True)}\r\n".encode()
            self.all_lines = self.date_line + self.server_line + self.extra_lines
        return 0

    cdef int write_own_lines(self, WriteBuffer out, bint date, bint server) except -1:
        """The lines that the server adds; ``date`` and ``server``: the application didn't set its own."""
        if self.date_header:
            self.refresh_date()
        if date and server:
            return out.append_bytes(self.all_lines)
        if date:
            out.append_bytes(self.date_line)
        if server:
            out.append_bytes(self.server_line)
        return out.append_bytes(self.extra_lines)

    cdef int flush_soon(self, object channel) except -1:
        """Have this channel flushed when the current turn of the loop ends."""
        self.unflushed.append(channel)
        if len(self.unflushed) == 1:
            self.loop.call_soon(self.flush)
        return 0

    cdef int begin_request(self) except -1:
        self.served += 1
        self.in_work += 1
        if self.served == self.limit_max_requests:
            self.events.on_max_requests()
        return 0

    cdef int log_access(self, object record) except -1:
        """One line for the access log. A log that can't be written is a pity, and no reason to break a response."""
        cdef Py_ssize_t size
        self.access_records.append(record)
        size = len(self.access_records)
        try:
            if size == 1:
                self.access_log.wake()
            elif size >= 256:
                self.access_log.flush()
        except Exception as error:
            self.access_records.clear()
            self.events.on_unexpected_error("the access log could not be written", error)
        return 0

    cdef int log_refusal(self, object client, int status, Py_ssize_t size) except -1:
        """A request that could not be read has an answer, too, and so a line."""
        if self.access_lines is not None:
            return self.log_access(access_line(self.access_lines, client, "-", b"-", False, status))
        return self.log_access((client, "-", b"-", "1.1", status, size, wall_time(), 0.0, [], None))
