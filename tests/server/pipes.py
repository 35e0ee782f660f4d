"""Pipes that logs are written to."""

import os


def read_all(descriptor: int) -> bytes:
    """What a pipe holds."""
    os.set_blocking(descriptor, False)
    data = b""
    try:
        while chunk := os.read(descriptor, 1 << 20):
            data += chunk
    except BlockingIOError:
        pass
    return data
