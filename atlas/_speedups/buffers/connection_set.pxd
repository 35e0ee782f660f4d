"""What the connections of one event loop share at the level of sockets."""

from atlas._speedups.buffers.byte_buffers cimport WriteBuffer

cdef enum:
    HIGH_WATER = 65536          # bytes that may wait for a slow peer before the writer waits too
    READ_SIZE = 262144          # bytes taken from a socket at once

cdef double monotonic() noexcept nogil
cdef double precise_monotonic() noexcept nogil

# What is counted; another process may read it at any time.
cdef struct Traffic:
    long long open
    long long accepted
    long long received              # bytes, without those of TLS
    long long sent
    long long stalled               # peers that read nothing for too long
    long long unmade                # connections that ended before they were made, as by a TLS handshake that failed
    long long overdue               # those of them that took too long


cdef class ConnectionSet:
    # The event loop, and an atlas.server.server_events.ServerEvents, whose methods are called when something happens.
    cdef readonly object loop
    cdef readonly object events

    # The connections there are.
    cdef readonly set connections
    cdef readonly long open             # counted from accept, until the socket is closed
    cdef readonly long limit            # 0: none
    cdef readonly bint stopping
    cdef readonly bint draining         # idle connections stay open
    cdef bint crowded                   # a client waits for a place, and no connection was idle

    # What is counted, in memory of the set's own or of the object that it keeps for that.
    cdef Traffic own_traffic
    cdef Traffic* traffic
    cdef object traffic_owner

    # The memory that every socket of the loop is read into, one after the other.
    cdef object read_view               # a memoryview that owns the memory
    cdef char* read_data

    # Write buffers for the next connection that needs one, and the connections that write when the turn of the loop
    # ends.
    cdef WriteBuffer buffer         # the first of the pool: a list that gets empty each time would be reallocated
    cdef list buffers
    cdef list unflushed

    # The local address, and the host of a peer, that were met last: most connections share one object.
    cdef object local_address
    cdef str peer_host

    # Seconds without progress after which a peer that reads nothing is given up.
    cdef readonly double write_timeout

    # Counting in other memory; write buffers; the end of the loop's iteration; counting.
    cdef int count_in(self, Traffic* traffic, object owner) except -1
    cdef WriteBuffer borrow_buffer(self)
    cdef int return_buffer(self, WriteBuffer buffer) except -1
    cdef int flush_later(self, object connection) except -1
    cdef object shared_address(self, object address)
    cdef str shared_host(self, str host)
    cdef int opened(self) except -1
    cdef int closed(self) except -1
