"""What a request's head says."""

from atlas._speedups.http1.framing cimport Framing


cdef class RequestHead:
    # The request line.
    cdef readonly str method
    cdef readonly bytes target          # as it came, whatever its form
    cdef readonly bytes raw_path        # percent-encoded, without the query
    cdef readonly bytes query_string
    cdef readonly bint http_10

    # The fields: (lower-case name, value), in order, duplicates kept.
    cdef readonly list headers

    # What the fields say about the message and the connection.
    cdef Framing framing
    cdef readonly long long content_length
    cdef readonly bint keep_alive
    cdef readonly bint expects_continue
    cdef readonly bytes upgrade         # the value of Upgrade, where Connection lists it; else None
    cdef bint escaped                   # there is a "%" in the path

    cdef str path(self)
