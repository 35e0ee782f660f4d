"""Python's view of the character tables, for tests and for the rooms that are not compiled."""


def token(bytes data not None):
    """Is ``data`` a token (RFC 9110, section 5.6.2): one or more of its characters and nothing else?"""
    return is_token(data, len(data))


def field_value(bytes data not None):
    """Is ``data`` free of the control characters that a field value may not hold (RFC 9110, section 5.5)?"""
    return is_field_value(data, len(data))


def folded(bytes data not None):
    """``data`` in lower case if it is a token, else None."""
    cdef Py_ssize_t i, size = len(data)
    if not is_token(data, size):
        return None
    return bytes([TOKEN[<unsigned char>data[i]] for i in range(size)])
