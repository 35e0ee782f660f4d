"""Requests: what the client has sent, parsed and validated."""
