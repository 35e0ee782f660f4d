"""Who is at the two ends of a connection, as ASGI has it."""

cdef object peer_address(object transport)
cdef object local_address(object transport)
