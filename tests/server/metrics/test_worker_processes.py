"""The metrics of worker processes, summed by their parent."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from atlas.server.metrics.shared_counters import open_counters
from atlas.server.metrics.worker_processes import WorkerProcesses
from tests.server.metrics.scraping import PATIENCE, get, scrape

APP = """
import os, time
from atlas import Application, Route

def block(request):
    time.sleep(60)

app = Application([Route("/", lambda request: str(os.getpid())), Route("/block", block, run="inline")])
"""
REQUESTS = "atlas_http_requests_total{method=GET,route=/,status=2xx}"


def test_the_counters_of_a_worker_that_has_ended_are_kept() -> None:
    descriptors = os.listdir("/dev/fd")
    processes = WorkerProcesses(4, lambda: {"ready": 1}, lambda: False)
    for _ in range(3):
        processes.add_worker(0)
        counters = open_counters(processes.fd, 0)
        assert counters.read()["refused"] == {}
        counters.begin(os.getpid())
        counters.add_refusal("limit")
        del counters  # which holds the memory
        processes.remove_worker(0)
    processes.add_worker(1)
    (refused,) = [each for each in processes.families() if each.name == "atlas_http_requests_refused"]
    assert [sample.value for sample in refused.samples] == [3]
    assert processes.is_ready()
    processes.close()
    assert os.listdir("/dev/fd") == descriptors


@contextmanager
def serving(folder: Path) -> Iterator[tuple[subprocess.Popen[str], Path, Callable[[], int]]]:
    (folder / "app.py").write_text(APP)
    flags = ("--workers", "2", "--uds", "app.sock", "--metrics", "unix:metrics.sock")
    process = subprocess.Popen(
        [sys.executable, "-m", "atlas", "serve", "app:app", *flags, "--timeout-graceful-shutdown", "0.5"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        text=True,
        stdout=subprocess.DEVNULL,
    )
    try:
        while not (folder / "metrics.sock").exists():
            assert process.poll() is None
            time.sleep(0.01)
        wait_for(folder / "metrics.sock", "atlas_workers{state=ready}", 2)
        yield process, folder / "metrics.sock", lambda: int(get(folder / "app.sock", "/")[2])
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        process.wait()


def wait_for(path: Path, name: str, value: float) -> None:
    deadline = time.monotonic() + PATIENCE
    while scrape(path).get(name) != value:
        assert time.monotonic() < deadline, get(path)[2]
        time.sleep(0.01)


def test_workers_are_summed_and_no_counter_goes_backwards(tmp_path: Path) -> None:
    with serving(tmp_path) as (process, metrics, request):
        pids = {request() for _ in range(16)}
        assert len(pids) == 2
        assert scrape(metrics)[REQUESTS] == 16
        os.kill(min(pids), signal.SIGKILL)
        wait_for(metrics, "atlas_worker_restarts_total", 1)
        wait_for(metrics, "atlas_workers{state=ready}", 2)
        assert scrape(metrics)[REQUESTS] == 16
        request()
        process.send_signal(signal.SIGHUP)
        wait_for(metrics, "atlas_worker_restarts_total", 3)
        wait_for(metrics, "atlas_workers{state=stopping}", 0)
        found = scrape(metrics)
        assert found[REQUESTS] == 17
        assert found["atlas_connections_accepted_total"] == 17
        memory = {re.search("process=(\\w+)", name)[1] for name in found if name.startswith("atlas_memory")}  # type: ignore[index]
        assert "parent" in memory
        assert len(memory) == 3


def test_the_parent_answers_while_every_worker_is_blocked(tmp_path: Path) -> None:
    with serving(tmp_path) as (_, metrics, _request):
        clients = []
        for _ in range(2):
            clients.append(socket.socket(socket.AF_UNIX))
            clients[-1].connect(str(tmp_path / "app.sock"))
            clients[-1].sendall(b"GET /block HTTP/1.1\r\nHost: a\r\n\r\n")
        deadline = time.monotonic() + PATIENCE
        while len(late := [value for name, value in scrape(metrics).items() if "lag" in name and value > 0.5]) < 2:
            assert time.monotonic() < deadline
        assert len(late) == 2
        assert get(metrics, "/healthz")[0] == get(metrics, "/readyz")[0] == 200
        for client in clients:
            client.close()
