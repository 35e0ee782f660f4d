"""The names of HTTP, made once: common header fields and methods."""

# The names that a protocol has to know; a name that is parsed is one of these very objects.
cdef bytes HOST
cdef bytes CONNECTION
cdef bytes CONTENT_LENGTH
cdef bytes TRANSFER_ENCODING
cdef bytes EXPECT
cdef bytes UPGRADE
cdef bytes TE

cdef bytes field_name(const char* data, Py_ssize_t size)
cdef str method_name(const char* data, Py_ssize_t size)
