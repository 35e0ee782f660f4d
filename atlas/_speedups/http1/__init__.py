"""HTTP/1: bytes to exchanges and back (RFC 9112)."""
