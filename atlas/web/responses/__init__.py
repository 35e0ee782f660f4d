"""Responses: what is sent to the client, and the header fields that describe it."""
