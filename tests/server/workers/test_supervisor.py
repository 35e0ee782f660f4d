"""Worker processes of ``atlas serve --workers``: replaced when they end, restarted without loss, stopped, spread."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from queue import Empty, Queue

import pytest

PATIENCE = 30.0  # seconds in which a line has to come; it takes a fraction of one

APP = """
import os, time
from atlas import Application, Route, TextResponse

def pid(request):
    return TextResponse(str(os.getpid()))

def block(request):
    time.sleep(60)
    return TextResponse("late")

app = Application([Route("/", pid), Route("/block", block, run="inline")])
"""

FAILING = """
async def app(scope, receive, send):
    await send({"type": "lifespan.startup.failed", "message": "no database"})
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

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)


@contextlib.contextmanager
def serving(folder: Path, *flags: str, workers: int = 2, app: str = APP) -> Iterator[Served]:
    (folder / "main.py").write_text(app)
    command = [sys.executable, "-m", "atlas", "serve", "main:app", "--port", "0", "--workers", str(workers)]
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
def ready(folder: Path, *flags: str, workers: int = 2) -> Iterator[Served]:
    with serving(folder, *flags, workers=workers) as served:
        found = []
        while len(found) < workers or not served.port:
            match = served.wait_for(r"worker \d+ is ready|serving on http://127\.0\.0\.1:(\d+)")
            if match[1]:
                served.port = int(match[1])
            else:
                found.append(match[0])
        yield served


def test_several_workers_serve_and_stop(tmp_path: Path) -> None:
    with ready(tmp_path) as served:
        assert len(served.pids()) == 2
        assert served.process.pid not in served.pids()
        assert served.stop() == 0
        served.wait_for("INFO: +stopped")


def test_a_worker_that_is_killed_is_replaced(tmp_path: Path) -> None:
    with ready(tmp_path) as served:
        before = served.pids()
        victim = min(before)
        os.kill(victim, signal.SIGKILL)
        served.wait_for(f"ERROR: +worker {victim} was killed by SIGKILL: another one is started")
        served.wait_for("is ready")
        after = served.pids()
        assert victim not in after
        assert len(after) == 2


def test_sighup_replaces_the_workers_and_loses_no_request(tmp_path: Path) -> None:
    with ready(tmp_path) as served:
        before = served.pids()
        answers: list[str] = []
        done = threading.Event()

        def ask() -> None:
            while not done.is_set():
                answers.append(served.get())

        clients = [threading.Thread(target=ask) for _ in range(4)]
        for client in clients:
            client.start()
        served.process.send_signal(signal.SIGHUP)
        served.wait_for("the workers are restarted")
        while sum("stopped" in line for line in served.lines) < 2:
            served.wait_for("INFO: +stopped")
        done.set()
        for client in clients:
            client.join(PATIENCE)
        assert all(answer.isdigit() for answer in answers)
        assert served.pids().isdisjoint(before)


def test_a_restart_with_a_broken_application_is_given_up(tmp_path: Path) -> None:
    with ready(tmp_path) as served:
        before = served.pids()
        (tmp_path / "main.py").write_text("import none_such")
        served.process.send_signal(signal.SIGHUP)
        served.wait_for("the restart is given up: a new worker is not ready, and the others go on")
        assert served.pids() == before


def test_one_worker_more_and_one_fewer(tmp_path: Path) -> None:
    with ready(tmp_path) as served:
        served.process.send_signal(signal.SIGTTIN)
        served.wait_for(r"3 workers \(SIGTTIN\)")
        served.wait_for("is ready")
        assert len(served.pids()) == 3
        served.process.send_signal(signal.SIGTTOU)
        served.wait_for(r"2 workers \(SIGTTOU\)")
        served.wait_for("INFO: +stopped")
        assert len(served.pids()) == 2


@pytest.mark.parametrize(
    ("app", "status", "line"),
    [
        ("import none_such", 1, "No module named 'none_such'"),
        (FAILING, 3, "no database"),
    ],
)
def test_no_worker_becomes_ready(tmp_path: Path, app: str, status: int, line: str) -> None:
    with serving(tmp_path, "--lifespan", "on", app=app) as served:
        served.wait_for(re.escape(line))
        served.wait_for("Error:.* no worker became ready: see the error above")
        assert served.process.wait(PATIENCE) == status


def test_an_event_loop_that_stands_still_is_ended(tmp_path: Path) -> None:
    with ready(tmp_path, "--timeout-worker-heartbeat", "0.6") as served:
        before = served.pids()
        with socket.create_connection(("127.0.0.1", served.port), PATIENCE) as client:
            client.sendall(b"GET /block HTTP/1.1\r\nHost: a\r\n\r\n")
            served.wait_for(r"the event loop of worker \d+ has not run for 0\.6 seconds")
            served.wait_for("in block")  # its stack
            served.wait_for("was killed by SIGABRT")
            served.wait_for("is ready")
        after = served.pids()
        assert len(after) == 2
        assert len(after & before) == 1


def test_workers_end_with_their_parent(tmp_path: Path) -> None:
    with ready(tmp_path) as served:
        served.process.kill()
        served.process.wait(PATIENCE)
        served.wait_for("INFO: +stopped", times=2)


def test_connections_are_spread(tmp_path: Path) -> None:
    with ready(tmp_path) as served, contextlib.ExitStack() as stack:
        counts: Counter[str] = Counter()
        for _ in range(8):
            connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=PATIENCE)
            stack.enter_context(contextlib.closing(connection))
            connection.request("GET", "/")
            counts[connection.getresponse().read().decode()] += 1
        assert len(counts) == 2, counts
        assert max(counts.values()) <= 2 * min(counts.values()), counts


def test_a_second_signal_ends_the_workers_at_once(tmp_path: Path) -> None:
    with ready(tmp_path) as served, socket.create_connection(("127.0.0.1", served.port), PATIENCE) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n")
        served.process.send_signal(signal.SIGTERM)
        served.wait_for("stopping")
        served.process.send_signal(signal.SIGTERM)
        assert served.process.wait(PATIENCE) == 0


def test_an_application_object_cannot_be_imported_by_workers() -> None:
    from atlas import Application, StartupError, run

    with pytest.raises(StartupError, match="workers: worker processes import the application themselves"):
        run(Application(), workers=2)
