"""Tests of the compiled rooms: bytes in, bytes out."""
