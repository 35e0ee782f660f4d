"""Awaitables that are finished before they are awaited."""

# Finished with None; one object for all, for it has nothing to give away.
cdef object FINISHED

cdef object finished(object value)
