"""The limits that a request head and body keep; read from the settings once."""


cdef class Limits:
    """How large a request may be: sizes in bytes, ``fields`` a count; ``body`` 0 means no limit."""

    def __init__(self, *, request_line=8192, head=65536, fields=128, field=16384, body=104857600):
        self.request_line = request_line
        self.head = head
        self.fields = fields
        self.field = field
        self.body = body
