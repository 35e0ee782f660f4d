"""What the HTTP connections of one event loop share: limits, the Date line, scope parts, counters, the access log.

Nothing of it is global: two servers in two threads share nothing.
"""

from email.utils import formatdate
from time import time as wall_time
from urllib.parse import quote

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_Copy
from libc.string cimport memchr
from libc.time cimport time

from atlas._speedups.buffers.byte_buffers cimport WriteBuffer
from atlas._speedups.buffers.connection cimport Connection
from atlas._speedups.buffers.connection_set cimport ConnectionSet, precise_monotonic
from atlas._speedups.http.counters cimport BY_SERVER, Counters, Timeout
from atlas._speedups.http.request_head cimport Limits, RequestHead

from atlas.reasons import REASON_PHRASES

cdef extern from "Python.h":
    const char* PyUnicode_AsUTF8AndSize(object text, Py_ssize_t* size) except NULL

cdef enum:
    FLUSH_RECORDS = 256     # records after which the access log is written at once

# What the scope's "extensions" has; each key's value is an empty dict (ASGI, "Extensions").
cdef dict EXTENSIONS = {
    "http.response.pathsend": {},
    "http.response.zerocopysend": {},
    "http.response.trailers": {},
    "http.response.early_hint": {},
}


@cython.final
cdef class ServerState:
    """The shared half of all HTTP connections of one event loop.

    :param loop: the asyncio event loop that everything runs on.
    :param settings: an object with the fields of :class:`atlas.server.configuration.settings.Settings`.
    :param events: an object with the methods of :class:`ConnectionSet`'s, ``on_request_refused(error, client)`` (a request was
        refused with a :class:`ProtocolError`), ``on_body_overdue(client)`` (the application waits for a body whose time is
        over) and ``on_max_requests()`` (``limit_max_requests`` have been begun).
    :param limit_connections: how many connections may be open; 0 for no limit.
    :param access_log: an :class:`atlas.server.logs.access_log.AccessLog`, or None.
    :param state: the lifespan state, copied for each request; None where lifespan is off.
    :param proxy_headers: an :class:`atlas.server.proxy_headers.ProxyHeaders`, or None.
    :param tls_extension: an :class:`atlas.server.tls.extension.TLSExtension`, or None.
    :param counters: what counts responses, connections and bytes; None for nothing.
    """

    def __init__(
        self, loop, settings, events, long limit_connections=0, access_log=None, dict state=None, proxy_headers=None,
        tls_extension=None, Counters counters=None,
    ):
        self.loop = loop
        self.settings = settings
        self.events = events
        self.state = state
        self.proxy_headers = proxy_headers
        self.tls_extension = tls_extension
        self.parsers = []
        self.connections = ConnectionSet(loop, events, limit_connections, settings.timeout_write)
        self.access_records = AccessRecords(access_log, events) if access_log is not None else None
        self.counters = counters
        self.measures = counters is not None or (access_log is not None and self.access_records.line is None)
        if counters is not None:
            self.connections.count_in(&counters.slot.traffic, counters)
        self.read_limits(settings)
        self.make_lines(settings)
        self.make_template(settings)

    def read_limits(self, settings):
        """Take over what every request needs."""
        self.limits = Limits(
            request_line=settings.limit_request_line,
            head=settings.limit_request_head,
            fields=settings.limit_request_fields,
            field=settings.limit_request_field,
            body=settings.limit_request_body,
        )
        self.answers_asterisk = settings.options_asterisk
        self.limit_concurrency = settings.limit_concurrency or 0
        self.limit_max_requests = settings.limit_max_requests or 0
        self.timeout_head = settings.timeout_request_head
        self.timeout_body = settings.timeout_request_body
        self.timeout_keep_alive = settings.timeout_keep_alive
        self.min_body_rate = settings.min_request_body_rate

    def make_lines(self, settings):
        """Make the ``server`` and ``--header`` lines; the date line is made when its second has come."""
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
        """Make a scope in which only what differs from request to request is to be set."""
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

    def close(self):
        """Cut the reference cycles; the state is of no use afterwards."""
        if self.parser is not None:
            self.parsers.append(self.parser)
            self.parser = None
        while self.parsers:
            self.parsers.pop().close()
        self.stream = None
        self.connections.close()
        self.events = self.access_records = None

    cdef bint is_stopping(self) noexcept:
        return self.connections.stopping

    cdef bint closes_idle(self) noexcept:
        """Is a connection closed when no request is worked on?"""
        return self.connections.stopping and not self.connections.draining

    # A request's part.

    cdef bint is_trusted_proxy(self, object client) except -1:
        return self.proxy_headers is not None and self.proxy_headers.trusts(client)

    cdef object read_forwarded(self, RequestHead head):
        """What a trusted proxy says of a request: an :class:`atlas.server.proxy_headers.Forwarded`, or None."""
        return self.proxy_headers.read(head.headers)

    cdef dict new_scope(self, RequestHead head, Connection connection, object client, str scheme, str prefix):
        """A new ASGI scope of type "http" (HTTP connection scope, 2.5): a dict that belongs to the caller.

        :param prefix: what the proxy has cut off from the path, in front of the root path; None where there is nothing.
        """
        cdef dict scope = PyDict_Copy(self.scope_template)
        scope["asgi"] = {"version": "3.0", "spec_version": "2.5"}
        if head.http_10:
            scope["http_version"] = "1.0"
        scope["server"] = connection.server
        scope["client"] = client
        scope["scheme"] = scheme
        scope["method"] = head.method
        scope["path"] = self.full_path(head)
        scope["raw_path"] = self.full_raw_path(head)
        scope["query_string"] = head.query_string
        scope["headers"] = head.headers
        scope["extensions"] = PyDict_Copy(EXTENSIONS)
        if connection.tls and self.tls_extension is not None and (tls := connection.tls_object()) is not None:
            scope["extensions"]["tls"] = self.tls_extension(tls)
        if self.state is not None:
            scope["state"] = PyDict_Copy(self.state)
        if prefix is not None:
            scope["root_path"] = prefix + scope["root_path"]
            scope["path"] = prefix + scope["path"]
            scope["raw_path"] = prefix.encode() + scope["raw_path"]
        return scope

    cdef str full_path(self, RequestHead head):
        """The path, decoded. The root path is part of it (ASGI, HTTP connection scope): the proxy has cut it off."""
        if self.root_path is None:
            return head.path()
        return self.root_path + head.path()

    cdef bytes full_raw_path(self, RequestHead head):
        """The path as it came, with the root path."""
        if self.root_path is None:
            return head.raw_path
        return self.raw_root_path + head.raw_path

    cdef int begin_request(self) except -1:
        self.served += 1
        self.in_work += 1
        if self.counters is not None:
            self.counters.slot.in_work = self.in_work
        if self.served == self.limit_max_requests:
            self.events.on_max_requests()
        return 0

    cdef int end_request(self) except -1:
        self.in_work -= 1
        if self.counters is not None:
            self.counters.slot.in_work = self.in_work
        return 0

    # Counters and access log.

    cdef int add_response(
        self, int group, object client, RequestHead head, int status, long long body_size, double began, object headers
    ) except -1:
        """A response has ended, or will not: note it.

        :param group: of the request, for the counters. :param began: when its head had come, if :attr:`measures`.
        :param headers: as the application gave them.
        """
        cdef double seconds = precise_monotonic() - began if self.measures else 0
        if self.counters is not None:
            self.counters.add_response(group, head.method, status)
            self.counters.add_duration(group, head.method, seconds)
        if self.access_records is not None:
            self.access_records.add_response(client, head, status, body_size, seconds, headers)
        return 0

    cdef int add_refusal(self, object client, str method, bytes target, int status, Py_ssize_t body_size) except -1:
        """Note the response to a request that was refused before an application saw it."""
        if self.counters is not None:
            self.counters.add_response(BY_SERVER, method, status)
        if self.access_records is not None:
            self.access_records.add_refusal(client, method, target, status, body_size)
        return 0

    cdef int add_timeout(self, Timeout kind) noexcept:
        """A client has taken too long."""
        if self.counters is not None:
            self.counters.slot.timeouts[<int>kind] += 1
        return 0

    cdef int add_active(self, int change) noexcept:
        """A connection has a request (1), or has none any more (-1)."""
        if self.counters is not None:
            self.counters.slot.active += change
        return 0

    # A response's part.

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


@cython.final
cdef class AccessRecords:
    """Hands the access log a record, or a finished line, for each response.

    :param log: an :class:`atlas.server.logs.access_log.AccessLog`.
    :param events: told of a log that can't be written, by ``on_unexpected_error``.
    """

    def __cinit__(self, log, events):
        self.log = log
        self.records = log.records
        self.line = WriteBuffer.__new__(WriteBuffer) if log.takes_lines else None
        self.events = events

    cdef int add(self, object record) except -1:
        """Add a record. A log that can't be written is no reason to break a response."""
        cdef Py_ssize_t size
        self.records.append(record)
        size = len(self.records)
        try:
            if size == 1:
                self.log.wake()
            elif size >= FLUSH_RECORDS:
                self.log.flush()
        except Exception as error:
            self.records.clear()
            self.events.on_unexpected_error("the access log can't be written", error)
        return 0

    cdef int add_response(
        self, object client, RequestHead head, int status, long long body_size, double seconds, object headers
    ) except -1:
        """Add a response.

        :param seconds: from the request's head to the response's end. :param headers: as the application gave them.
        """
        if self.line is not None:
            return self.add(access_line(self.line, client, head.method, head.target, head.http_10, status))
        return self.add((
            client, head.method, head.target, "1.0" if head.http_10 else "1.1", status, body_size, wall_time(), seconds,
            head.headers, headers,
        ))

    cdef int add_refusal(self, object client, str method, bytes target, int status, Py_ssize_t body_size) except -1:
        """Add the response to a request that was refused before an application saw it."""
        if self.line is not None:
            return self.add(access_line(self.line, client, method, target, False, status))
        return self.add((client, method, target, "1.1", status, body_size, wall_time(), 0.0, [], None))


# How a line ends, for each status of at most three digits.
cdef list LINE_ENDS = [
    (f'" {status} {REASON_PHRASES.get(status, "")}'.rstrip() + "\n").encode() for status in range(1000)
]


cdef int append_text(WriteBuffer out, str text) except -1:
    cdef Py_ssize_t size
    cdef const char* data = PyUnicode_AsUTF8AndSize(text, &size)
    return out.append(data, size)


cdef bytes access_line(WriteBuffer out, object client, str method, bytes target, bint http_10, int status):
    """``INFO:     127.0.0.1:53412 - "GET /a?b HTTP/1.1" 200 OK`` and a newline; ``out`` is empty before and after.

    A target is visible ASCII, as the parser has checked; quotes and backslashes in it are escaped here. Compiled because
    it is on the path of every response; :mod:`atlas.server.logs.access_formats` makes the lines of every other format.
    """
    cdef const char* data = PyBytes_AS_STRING(target)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(target)
    if memchr(data, 34, size) is not NULL or memchr(data, 92, size) is not NULL:
        target = target.replace(b"\\", b"\\x5c").replace(b'"', b"\\x22")
    out.append(b"INFO:     ", 10)
    if client is None:
        out.append(b"-", 1)
    else:
        append_text(out, <str?>(<tuple?>client)[0])
        out.append(b":", 1)
        out.append_decimal((<tuple>client)[1])
    out.append(b' - "', 4)
    append_text(out, method)
    out.append(b" ", 1)
    out.append_bytes(target)
    out.append(b" HTTP/1.0" if http_10 else b" HTTP/1.1", 9)
    out.append_bytes(<bytes>LINE_ENDS[status])
    return out.take()
