"""Worker processes of ``atlas serve --workers``: replaced when they end, restarted without loss, stopped, spread."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import signal
import socket
import subprocess
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.server.workers.served import APP, PATIENCE, Served, ready, serving

FAILING = """
async def app(scope, receive, send):
    await send({"type": "lifespan.startup.failed", "message": "no database"})
"""


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


ONCE_FAILING = """
import os
from pathlib import Path
from atlas import Application, Route, TextResponse

try:
    Path("failed").mkdir()
except FileExistsError:
    pass
else:
    raise RuntimeError("the first import")

app = Application([Route("/", lambda request: TextResponse(str(os.getpid())))])
"""
ENDING = """
import os

async def app(scope, receive, send):
    os._exit(5)
"""


def test_a_worker_that_fails_while_another_one_serves_is_started_again(tmp_path: Path) -> None:
    with ready(tmp_path, app=ONCE_FAILING) as served:
        assert any("RuntimeError: the first import" in line for line in served.lines)
        assert len(served.pids()) == 2
        assert served.stop() == 0


def test_workers_that_end_at_once_are_started_later_each_time(tmp_path: Path) -> None:
    with ready(tmp_path, "--workers-lifetime", "1000", "--lifespan", "off", workers=1, app=ENDING) as served:
        for when in ("", " in 0.5 seconds", " in 1 seconds"):
            with pytest.raises(ConnectionError):
                served.get()
            served.wait_for(rf"ended with status 5: another one is started{when}$")
            served.wait_for("is ready")
        assert served.stop() == 0


def test_an_import_may_take_longer_than_a_heartbeat(tmp_path: Path) -> None:
    app = f"import time; time.sleep(1.5)\n{APP}"
    with ready(tmp_path, "--timeout-worker-heartbeat", "0.4", app=app) as served:
        assert not any("another one is started" in line for line in served.lines)
        assert len(served.pids()) == 2


@pytest.mark.parametrize("flags", [[], ["--preload"]])
def test_an_import_that_does_not_end(tmp_path: Path, flags: list[str]) -> None:
    with serving(tmp_path, "--timeout-worker-startup", "0.8", *flags, app="import time; time.sleep(600)") as served:
        served.wait_for(r"after 0\.8 seconds \(--timeout-worker-startup\)")
        served.wait_for("no worker became ready")
        assert served.process.wait(PATIENCE) == 1


def test_a_stop_ends_an_import(tmp_path: Path) -> None:
    app = f"import time; print('importing', flush=True); time.sleep(600)\n{APP}"
    for flags in ([], ["--preload"]):
        with serving(tmp_path, *flags, app=app) as served:
            served.wait_for("starting 2 workers")
            assert served.stop() == 0


def requests_until_replaced(served: Served) -> None:
    """Send requests, none of which may fail, until other workers answer than at the beginning."""
    before = served.pids()
    while served.pids() & before:
        pass


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        (["--limit-max-requests", "30"], r"has begun as many requests as it may \(--limit-max-requests\)"),
        (["--workers-lifetime", "1.5"], r"has served for \d seconds \(--workers-lifetime\)"),
    ],
)
def test_workers_are_replaced_without_loss(tmp_path: Path, flags: list[str], why: str) -> None:
    with ready(tmp_path, *flags) as served:
        requests_until_replaced(served)
        served.stop()
        served.join()
        log = "".join([*served.lines, *served.queued()])
    replaced = re.search(rf"worker (\d+) {why}: another one takes its place\n(?:.*\n)*?.*worker (\d+) is ready\n", log)
    assert replaced is not None, log
    assert log.index("stopping") > replaced.end() - 1, "the old worker stopped before the new one served"


def test_a_lifetime_has_effect_with_one_worker(tmp_path: Path) -> None:
    with ready(tmp_path, "--workers-lifetime", "1", workers=1) as served:
        requests_until_replaced(served)


def test_a_container_s_first_process_reaps_orphans(tmp_path: Path) -> None:
    unshare = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
    if subprocess.run([*unshare, "true"], capture_output=True).returncode:
        pytest.skip("this machine lets no process make a namespace of process IDs (unshare --pid)")
    app = (
        APP.replace(
            "def block",
            """
def orphan(request):
    subprocess.run(["sh", "-c", "sleep 0.05 &"])
    return TextResponse(str(os.getpid()))

def block""",
        )
        .replace("import os, time", "import os, subprocess, time")
        .replace('Route("/", pid)', 'Route("/", pid), Route("/orphan", orphan)')
    )
    with ready(tmp_path, app=app, prefix=unshare) as served:
        assert max(served.pids()) < 1000, "IDs of the namespace"
        (supervisor,) = served.children()
        served.get("/orphan")
        served.get("/orphan")
        while len(children := served.children_of(supervisor)) > 1:
            served.get()
        assert len(children) == 1, "the fork server"
        os.kill(supervisor, signal.SIGTERM)
        assert served.process.wait(PATIENCE) == 0


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


@pytest.mark.parametrize("workers", [2, 4])
def test_connections_are_spread(tmp_path: Path, workers: int) -> None:
    with ready(tmp_path, workers=workers) as served, contextlib.ExitStack() as stack:
        counts: Counter[str] = Counter()
        for _ in range(8):
            connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=PATIENCE)
            stack.enter_context(contextlib.closing(connection))
            connection.request("GET", "/")
            counts[connection.getresponse().read().decode()] += 1
        assert len(counts) == workers, counts
        assert max(counts.values()) <= 2 * min(counts.values()), counts


def test_a_worker_that_computes_gets_no_connection_while_another_one_is_idle(tmp_path: Path) -> None:
    with ready(tmp_path) as served, contextlib.ExitStack() as stack:
        idle = {}
        while len(idle) < 2:  # a connection to each
            connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=PATIENCE)
            stack.enter_context(contextlib.closing(connection))
            connection.request("GET", "/")
            idle[connection.getresponse().read().decode()] = connection
        busy, other = idle.values()
        busy.request("GET", "/block")
        while not (tmp_path / "blocks").exists():
            time.sleep(0.01)
        pids = set()
        for _ in range(20):  # the worker that is idle has more connections each time
            connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=PATIENCE)
            stack.enter_context(contextlib.closing(connection))
            connection.request("GET", "/")
            pids.add(connection.getresponse().read().decode())
        assert pids == {next(pid for pid, each in idle.items() if each is other)}
        os.kill(int(next(pid for pid, each in idle.items() if each is busy)), signal.SIGKILL)


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
