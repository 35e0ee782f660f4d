"""The asyncio protocol of one socket."""

from atlas._speedups.conversation cimport Conversation


cdef class Connection(Conversation):
    pass
