"""A Redis server for tests, on a free port, without files."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
from collections.abc import Iterator
from socket import create_server
from typing import Any

import redis

__all__ = ["RedisServer"]

_READY = "Ready to accept connections"


class RedisServer:
    """A Redis server that a test may stop and start again on the same port.

    :ivar url: its URL.
    """

    def __init__(self) -> None:
        with create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._process: subprocess.Popen[str] | None = None
        self._folder = tempfile.TemporaryDirectory(prefix="redis-")

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
             "--dir", self._folder.name, "--daemonize", "no"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        assert self._process.stdout is not None
        lines = []
        for line in self._process.stdout:
            lines.append(line)
            if _READY in line:
                return
        raise AssertionError(f"redis-server ended with {self._process.wait()}: {''.join(lines)}")

    def stop(self) -> None:
        """Stop it; its entries are lost."""
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            process.communicate()

    def client(self) -> Any:
        """Return a client for a look at the entries."""
        return redis.Redis.from_url(self.url)

    def pass_time(self, seconds: float) -> None:
        """Let all entries expire earlier by so many seconds, as if that time had passed."""
        with self.client() as client:
            for key in client.scan_iter():
                left = client.pttl(key)
                if left >= 0:
                    client.pexpire(key, max(0, left - round(seconds * 1000)))

    @classmethod
    @contextlib.contextmanager
    def running(cls) -> Iterator[RedisServer]:
        """Return a server that runs in a ``with`` block."""
        server = cls()
        server.start()
        try:
            yield server
        finally:
            server.stop()
            server._folder.cleanup()
