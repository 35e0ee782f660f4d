"""Who is at the two ends of a connection, as ASGI has it (HTTP connection scope: ``client``, ``server``)."""


cdef object peer_address(object transport):
    """The client's (host, port); None where the peer has no such address, as on a Unix socket."""
    cdef object address = transport.get_extra_info("peername")
    if isinstance(address, (tuple, list)) and len(address) >= 2:
        return (str(address[0]), int(address[1]))
    return None


cdef object local_address(object transport):
    """Our own (host, port); (path, None) on a Unix socket; None where there is neither."""
    cdef object address = transport.get_extra_info("sockname")
    if isinstance(address, (tuple, list)) and len(address) >= 2:
        return (str(address[0]), int(address[1]))
    if isinstance(address, str) and address:
        return (address, None)
    return None


# Python's view, for tests.

def peer(transport):
    """The client's (host, port), or None."""
    return peer_address(transport)


def local(transport):
    """Our own (host, port), (path, None), or None."""
    return local_address(transport)
