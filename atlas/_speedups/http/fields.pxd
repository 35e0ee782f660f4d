"""The field names and methods that are met often, made once."""

# The names that a reader or a writer has to know; a name that is read is one of these very objects.
cdef bytes HOST
cdef bytes CONNECTION
cdef bytes CONTENT_LENGTH
cdef bytes TRANSFER_ENCODING
cdef bytes EXPECT
cdef bytes UPGRADE

cdef bytes field_name(const char* data, Py_ssize_t size)
cdef str method_name(const char* data, Py_ssize_t size)
