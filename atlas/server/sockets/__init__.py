"""Listening sockets, accepted connections and file descriptors."""
