"""Readiness of a process that stops: it turns red first."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from atlas.server.metrics.shared_counters import private_counters
from atlas.server.metrics.single_process import SingleProcess
from tests.server.metrics.scraping import PATIENCE, get, scrape

APP = """
import time
from atlas import Application, Route

app = Application([Route("/", lambda request: "x")])
"""


def test_alive_while_the_loop_is_not_too_late() -> None:
    counters = private_counters()
    ready = threading.Event()
    source = SingleProcess(counters, ready.is_set, 5.0)
    counters.set_loop(time.monotonic() - 10.0, 0.0)
    assert source.is_alive()  # a startup that takes long
    assert not source.is_ready()
    ready.set()
    assert not source.is_alive()
    counters.set_loop(time.monotonic() + 0.25, 0.0)
    assert source.is_alive()


def wait_until(path: Path, status: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            if get(path, "/readyz")[0] == status:
                return
        except OSError:  # not yet there
            assert time.monotonic() < deadline
        time.sleep(0.01)
        assert time.monotonic() < deadline


def stop_slowly(folder: Path, *flags: str) -> None:
    (folder / "app.py").write_text(APP)
    sockets = ("--uds", "app.sock", "--metrics", "unix:metrics.sock")
    process = subprocess.Popen(
        [sys.executable, "-m", "atlas", "serve", "app:app", *sockets, "--shutdown-delay", "60", *flags],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    metrics, application = folder / "metrics.sock", folder / "app.sock"
    try:
        wait_until(metrics, 200)
        process.send_signal(signal.SIGTERM)
        wait_until(metrics, 503)
        assert get(metrics, "/healthz")[0] == 200
        assert get(application, "/")[0] == 200  # a load balancer that has not noticed yet
        assert scrape(metrics)["atlas_http_requests_total{method=GET,route=/,status=2xx}"] == 1
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        process.wait()
    assert not metrics.exists()


def test_readiness_turns_red_before_accepting_ends(tmp_path: Path) -> None:
    stop_slowly(tmp_path)


def test_the_same_with_worker_processes(tmp_path: Path) -> None:
    stop_slowly(tmp_path, "--workers", "2")
