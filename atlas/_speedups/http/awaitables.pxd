"""Awaitables that are done in one step when nothing has to wait."""

# Finished with None; one object for all.
cdef object FINISHED

cdef object receipt(object source)
