"""What the HTTP connections of one event loop share."""

from atlas._speedups.buffers.byte_buffers cimport WriteBuffer
from atlas._speedups.buffers.connection cimport Connection
from atlas._speedups.buffers.connection_set cimport ConnectionSet
from atlas._speedups.http.counters cimport Counters, Timeout
from atlas._speedups.http.request_head cimport Limits, RequestHead

cdef bytes access_line(WriteBuffer out, object client, str method, bytes target, bint http_10, int status)


cdef class AccessRecords:
    # The server's log, the list that it reads its records from, and the buffer that a line is written in where the log
    # takes finished lines (else None).
    cdef object log
    cdef list records
    cdef WriteBuffer line
    cdef object events

    cdef int add(self, object record) except -1
    cdef int add_response(
        self, object client, RequestHead head, int status, long long body_size, double seconds, object headers
    ) except -1
    cdef int add_refusal(self, object client, str method, bytes target, int status, Py_ssize_t body_size) except -1


cdef class ServerState:
    # The sockets' side, the settings, and an atlas.server.server_events.ServerEvents, whose methods are called when
    # something happens.
    cdef readonly ConnectionSet connections
    cdef readonly object loop
    cdef readonly object settings
    cdef readonly object events

    cdef bint answers_asterisk          # OPTIONS * is the server's to answer

    # Limits (0: none), and time-outs in seconds.
    cdef readonly Limits limits
    cdef readonly long limit_concurrency
    cdef readonly long limit_max_requests
    cdef readonly double timeout_head
    cdef readonly double timeout_body
    cdef readonly double timeout_keep_alive
    cdef readonly double min_body_rate  # bytes per second

    # Reads what trusted proxies say: an atlas.server.proxy_headers.ProxyHeaders; None where none is trusted.
    cdef object proxy_headers

    # Makes the "tls" extension of a scope: an atlas.server.tls.extension.TLSExtension; None without TLS.
    cdef object tls_extension

    # Counters.
    cdef readonly long in_work          # requests that an application is working on
    cdef readonly long long served      # requests begun

    # Parsers for the next message that needs one.
    cdef object parser              # the first of the pool; see ConnectionSet.buffer
    cdef list parsers
    cdef object stream              # for the next response

    # The header lines that the server adds to each response, as lines of HTTP/1.
    cdef bint date_header
    cdef long long date_second
    cdef bytes date_line
    cdef bytes server_line
    cdef bytes extra_lines
    cdef bytes all_lines

    # The parts of a scope that are the same for every request.
    cdef dict scope_template
    cdef str root_path                  # None where there is none
    cdef bytes raw_root_path
    cdef readonly dict state            # the lifespan's; None where lifespan is off

    # The access log, and what counts responses; None where there is none. ``measures``: how long they took.
    cdef AccessRecords access_records
    cdef readonly Counters counters
    cdef bint measures

    # Of the counters; of all requests; of one response; of one request.
    cdef int add_response(
        self, int group, object client, RequestHead head, int status, long long body_size, double began, object headers
    ) except -1
    cdef int add_refusal(self, object client, str method, bytes target, int status, Py_ssize_t body_size) except -1
    cdef int add_timeout(self, Timeout kind) noexcept
    cdef int add_active(self, int change) noexcept
    cdef bint is_stopping(self) noexcept
    cdef bint closes_idle(self) noexcept
    cdef int refresh_date(self) except -1
    cdef int write_own_lines(self, WriteBuffer out, bint date, bint server) except -1
    cdef bint is_trusted_proxy(self, object client) except -1
    cdef object read_forwarded(self, RequestHead head)
    cdef dict new_scope(self, RequestHead head, Connection connection, object client, str scheme, str prefix)
    cdef str full_path(self, RequestHead head)
    cdef bytes full_raw_path(self, RequestHead head)
    cdef int begin_request(self) except -1
    cdef int end_request(self) except -1
