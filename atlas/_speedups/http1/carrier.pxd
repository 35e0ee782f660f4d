"""What an exchange asks of its connection."""

from atlas._speedups.buffers.channel cimport Channel


cdef class Carrier(Channel):
    # Who is at the two ends, and how they speak.
    cdef object client                  # (host, port), or None
    cdef object server                  # (host, port), (path, None), or None
    cdef str scheme

    # What an exchange asks; ``exchange`` is an Exchange.
    cdef int body_wanted(self, object exchange) except -1
    cdef bint reusable(self, object exchange) noexcept
    cdef int response_done(self, object exchange) except -1
    cdef int response_failed(self, object exchange) except -1
