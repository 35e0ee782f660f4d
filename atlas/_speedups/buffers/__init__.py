"""Sockets and bytes: buffers, the socket writer, the connection; for any protocol."""
