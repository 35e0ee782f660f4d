"""``atlas serve`` with several workers, for tests."""

from __future__ import annotations

import contextlib
import http.client
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from queue import Empty, Queue

PATIENCE = 30.0  # seconds in which a line has to come; it takes a fraction of one

APP = """
import os, time
from atlas import Application, Route, TextResponse

def pid(request):
    return TextResponse(str(os.getpid()))

def block(request):
    open("blocks", "w").close()
    time.sleep(60)
    return TextResponse("late")

app = Application([Route("/", pid), Route("/block", block, run="inline")])
"""


class Served:
    """``atlas serve`` with several workers; the lines of its log can be waited for."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []
        self._queue: Queue[str] = Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.port = 0

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self._queue.put(line)

    def wait_for(self, pattern: str, times: int = 1) -> re.Match[str]:
        """Wait for a line from now on, or for several."""
        while True:
            try:
                line = self._queue.get(timeout=PATIENCE)
            except Empty:
                raise AssertionError(f"no line {pattern!r} in:\n{''.join(self.lines)}") from None
            self.lines.append(line)
            if match := re.search(pattern, line):
                times -= 1
                if times == 0:
                    return match

    def get(self, path: str = "/") -> str:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        with contextlib.closing(connection):
            connection.request("GET", path, headers={"Connection": "close"})
            return connection.getresponse().read().decode()

    def pids(self) -> set[int]:
        """The workers that answer some requests."""
        return {int(self.get()) for _ in range(24)}

    def queued(self) -> list[str]:
        """The lines that were not waited for."""
        return list(self._queue.queue)

    def children(self) -> set[int]:
        """The child processes of the supervisor, those included that nothing has waited for."""
        return self.children_of(self.process.pid)

    def children_of(self, pid: int) -> set[int]:
        return set(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))

    def join(self) -> None:
        """Wait for the last line."""
        self._reader.join(PATIENCE)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)


@contextlib.contextmanager
def serving(
    folder: Path, *flags: str, workers: int = 2, app: str = APP, prefix: Sequence[str] = ()
) -> Iterator[Served]:
    """The command, which runs until it is stopped.

    :param prefix: a program with arguments that runs the command.
    """
    (folder / "main.py").write_text(app)
    command = [*prefix, sys.executable, "-m", "atlas", "serve", "main:app", "--port", "0", "--workers", str(workers)]
    with subprocess.Popen(
        [*command, "--no-access-log", "--timeout-graceful-shutdown", "5", *flags],
        cwd=folder,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    ) as process:
        served = Served(process)
        try:
            yield served
        finally:
            if process.poll() is None:
                served.stop()


@contextlib.contextmanager
def ready(folder: Path, *flags: str, workers: int = 2, app: str = APP, prefix: Sequence[str] = ()) -> Iterator[Served]:
    """The same, when all workers are ready."""
    with serving(folder, *flags, workers=workers, app=app, prefix=prefix) as served:
        found = []
        while len(found) < workers or not served.port:
            match = served.wait_for(r"worker \d+ is ready|serving on http://127\.0\.0\.1:(\d+)")
            if match[1]:
                served.port = int(match[1])
            else:
                found.append(match[0])
        yield served
