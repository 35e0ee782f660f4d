"""Bytes that nobody planned, fed into the compiled protocol through a transport that is none."""
