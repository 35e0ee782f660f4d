"""``atlas serve --reload`` as a process, whose log lines can be waited for."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from queue import Empty, Queue

__all__ = ["PATIENCE", "Served", "serving"]

PATIENCE = 30.0  # seconds in which a line has to come; it takes a fraction of one


class Served:
    """A server in a session of its own, as in a terminal."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []
        self.port = 0
        self._queue: Queue[str] = Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self._queue.put(line)

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Wait for a line from now on."""
        while True:
            try:
                line = self._queue.get(timeout=PATIENCE)
            except Empty:
                raise AssertionError(f"no line {pattern!r} in:\n{''.join(self.lines)}") from None
            self.lines.append(line)
            if match := re.search(pattern, line):
                return match

    def wait_ready(self) -> None:
        self.port = int(self.wait_for(r"serving on https?://[^:]+:(\d+)")[1])

    def get(self, path: str = "/", headers: Mapping[str, str] | None = None) -> str:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        with contextlib.closing(connection):
            connection.request("GET", path, headers=dict(headers or {}))
            return connection.getresponse().read().decode()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)

    def rest(self) -> str:
        """All lines, after the process has ended."""
        while True:
            with contextlib.suppress(Empty):
                self.lines.append(self._queue.get(timeout=0.2))
                continue
            return "".join(self.lines)


@contextlib.contextmanager
def serving(folder: Path, *arguments: str, pass_fds: Collection[int] = (), **variables: str) -> Iterator[Served]:
    """Run ``atlas serve`` in a folder."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("ATLAS_")}
    command = [sys.executable, "-m", "atlas", "serve", "--no-access-log", *arguments]
    with subprocess.Popen(
        command,
        cwd=folder,
        env={**environ, **variables},
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        pass_fds=pass_fds,
    ) as process:
        served = Served(process)
        try:
            yield served
        finally:
            if process.poll() is None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    served.stop()
                process.kill()
