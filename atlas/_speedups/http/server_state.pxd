"""What the connections of one event loop share."""

from atlas._speedups.http.limits cimport Limits
from atlas._speedups.http1.request_parser cimport RequestParser
from atlas._speedups.buffers.write_buffer cimport WriteBuffer

cdef enum:
    HIGH_WATER = 65536          # bytes that may wait for a slow reader before the application waits too
    READ_SIZE = 262144          # bytes taken from a socket at once


cdef class ServerState:
    # Who is above: the loop, and what calls the application.
    cdef readonly object loop
    cdef readonly object gateway
    cdef readonly object settings
    cdef readonly object events         # told what happens; see the class

    # The memory that every socket of the loop reads into, one after the other.
    cdef char* read_data
    cdef object read_view

    # Pools.
    cdef list readers
    cdef list buffers

    # Limits and time-outs (seconds).
    cdef Limits limits
    cdef readonly long limit_concurrency        # 0: none
    cdef readonly long limit_connections        # 0: none
    cdef readonly long limit_max_requests       # 0: none
    cdef double timeout_head
    cdef double timeout_body
    cdef double timeout_write
    cdef double timeout_keep_alive

    # The lines that the server adds to each head.
    cdef object date_header
    cdef long long date_second
    cdef bytes date_line
    cdef bytes server_line
    cdef bytes extra_lines
    cdef bytes all_lines

    # The parts of a scope that are the same for every request.
    cdef dict scope_template
    cdef str root_path                  # None where there is none
    cdef bytes raw_root_path
    cdef readonly dict state            # the lifespan's, None where lifespan is off
    cdef object server_address          # the last local address, so that equal ones are one object

    # What there is.
    cdef readonly set connections
    cdef readonly long open             # connections, counted from accept
    cdef readonly long in_work          # requests that an application is working on
    cdef readonly long long served      # requests begun
    cdef readonly bint stopping

    # The access log.
    cdef object access_log
    cdef list access_records
    cdef WriteBuffer access_lines       # where a line is written, if the log takes ready ones; else None

    # Connections that have something to write when the turn of the loop ends.
    cdef list unflushed

    # Methods.
    cdef double now(self) noexcept
    cdef RequestParser borrow_reader(self)
    cdef int give_reader(self, RequestParser reader) except -1
    cdef WriteBuffer borrow_buffer(self)
    cdef void give_buffer(self, WriteBuffer buffer) noexcept
    cdef int refresh_date(self) except -1
    cdef int write_own_lines(self, WriteBuffer out, bint date, bint server) except -1
    cdef int flush_soon(self, object channel) except -1
    cdef object shared_address(self, object address)
    cdef int opened(self) except -1
    cdef int closed(self) except -1
    cdef int begin_request(self) except -1
    cdef int log_access(self, object record) except -1
    cdef int log_refusal(self, object client, int status, Py_ssize_t size) except -1
