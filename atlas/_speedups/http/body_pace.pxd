"""The pace of a request's body: until when more of it has to come.

Between two pieces a body has its time-out, and as a whole that time and a second more for each ``rate`` bytes: a client
that sends a byte now and then keeps a connection and an application no longer than that.
"""

from atlas._speedups.buffers.connection_set cimport monotonic

cdef struct BodyPace:
    double since        # when the client could begin to send, by the clock of all deadlines; 0: no rate is expected
    long long size      # bytes that have come since then


cdef inline void start_pace(BodyPace* pace) noexcept:
    pace.since = monotonic()
    pace.size = 0


cdef inline double body_deadline(BodyPace* pace, double timeout, double rate) noexcept:
    """When a body is overdue from which nothing more comes; ``rate`` in bytes per second, 0 for none."""
    cdef double deadline = monotonic() + timeout
    cdef double last
    if rate > 0 and pace.since > 0:
        last = pace.since + timeout + pace.size / rate
        if last < deadline:
            return last
    return deadline
