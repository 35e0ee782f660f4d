"""The answer to a request that could not be read: a short sentence in plain text, and the connection's end."""

from atlas._speedups.http1.response_head cimport ResponseFields, write_fields, write_status


cdef Py_ssize_t write_refusal(WriteBuffer out, ServerState worker, int status, str reason) except -1:
    """Write the whole answer; returns the size of its body."""
    cdef ResponseFields fields
    cdef bytes body = f"{reason[:1].upper()}{reason[1:]}.\n".encode()
    write_status(out, status)
    write_fields(
        out,
        [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(body))],
        status,
        &fields,
    )
    worker.write_own_lines(out, True, True)
    out.append(b"connection: close\r\n\r\n", 21)
    out.append_bytes(body)
    return len(body)
