"""WebSocket: bytes to messages and back (RFC 6455, RFC 7692)."""
