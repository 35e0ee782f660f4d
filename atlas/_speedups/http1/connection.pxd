"""The asyncio protocol of one socket."""

from atlas._speedups.http1.conversation cimport Conversation


cdef class Connection(Conversation):
    pass
