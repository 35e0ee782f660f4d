"""Sockets and bytes: buffers, the socket writer, the connection. Knows no HTTP."""
