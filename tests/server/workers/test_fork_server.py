"""Forked workers: with and without --preload, after the end of their fork server, and what signals do to them."""

from __future__ import annotations

import os
import re
import signal
import socket
from pathlib import Path

from tests.server.workers.served import PATIENCE, Served, ready, serving

PRELOADED = """
import gc, os
from atlas import Application, Route, TextResponse

print("imported")
IMPORTED_IN = os.getpid()

def where(request):
    return TextResponse(f"{os.getpid()} {IMPORTED_IN} {gc.get_freeze_count() > 10000} {gc.isenabled()}")

app = Application([Route("/", where)])
"""
THREAD = """
import threading
threading.Thread(target=threading.Event().wait, name="poller", daemon=True).start()
async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"1"})
"""


def answers(served: Served) -> set[str]:
    return {served.get() for _ in range(24)}


def test_preload_imports_the_application_once(tmp_path: Path) -> None:
    with ready(tmp_path, "--preload", app=PRELOADED) as served:
        found = [answer.split() for answer in answers(served)]
        assert len(found) == 2
        (fork_server,) = served.children()
        assert {each[1:] == [str(fork_server), "True", "True"] for each in found} == {True}
        os.kill(int(found[0][0]), signal.SIGKILL)
        served.wait_for("is ready")
        assert {answer.split()[1] for answer in answers(served)} == {str(fork_server)}


def test_without_preload_each_worker_imports_the_application(tmp_path: Path) -> None:
    with ready(tmp_path, app=PRELOADED) as served:
        for pid, imported_in, *rest in (answer.split() for answer in answers(served)):
            assert pid == imported_in
            assert rest == ["True", "True"]


def test_a_restart_of_preloaded_workers_imports_the_new_application(tmp_path: Path) -> None:
    with ready(tmp_path, "--preload", app=PRELOADED) as served:
        (before,) = served.children()
        (tmp_path / "main.py").write_text(PRELOADED.replace('f"{os', 'f"new {os'))
        served.process.send_signal(signal.SIGHUP)
        served.wait_for("the workers are restarted")
        while sum("stopped" in line for line in served.lines) < 2:
            served.wait_for("INFO: +stopped")
        assert all(answer.startswith("new ") for answer in answers(served))
        while before in served.children():  # it ends after its last worker
            served.get()
        assert len(served.children()) == 1


def test_a_preloaded_application_that_cannot_be_imported(tmp_path: Path) -> None:
    with serving(tmp_path, "--preload", app="import none_such") as served:
        served.wait_for("ERROR: +the application cannot be served: .*No module named 'none_such'|'none_such'")
        served.wait_for("Error:.* no worker became ready: see the error above")
        assert served.process.wait(PATIENCE) == 1
        assert sum("cannot be served" in line for line in served.lines) == 1


def test_a_restart_with_a_broken_preloaded_application_is_given_up(tmp_path: Path) -> None:
    with ready(tmp_path, "--preload", app=PRELOADED) as served:
        before = answers(served)
        (tmp_path / "main.py").write_text("1 / 0")
        served.process.send_signal(signal.SIGHUP)
        served.wait_for("division by zero")
        served.wait_for("the restart is given up: a new worker is not ready, and the others go on")
        assert answers(served) == before


def test_a_thread_that_the_import_has_started_is_named(tmp_path: Path) -> None:
    with serving(tmp_path, "--preload", app=THREAD) as served:
        served.wait_for("--preload: the import of the application has started the thread 'poller'")
        served.wait_for("is ready", times=2)


def test_workers_outlive_their_fork_server(tmp_path: Path) -> None:
    with ready(tmp_path) as served:
        before = served.pids()
        (fork_server,) = served.children()
        os.kill(fork_server, signal.SIGKILL)
        while fork_server in served.children():
            served.get()
        assert served.pids() == before
        victim = min(before)
        os.kill(victim, signal.SIGKILL)
        served.wait_for(f"worker {victim} has ended: another one is started")
        served.wait_for("is ready")
        after = served.pids()
        assert len(after) == 2
        assert victim not in after
        assert served.stop() == 0


def test_a_signal_for_all_processes_is_one_stop(tmp_path: Path) -> None:
    """systemd sends SIGTERM to each process of a service, and the supervisor sends it to the workers once more."""
    with ready(tmp_path) as served, socket.create_connection(("127.0.0.1", served.port), PATIENCE) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n")
        pids = [*served.pids(), *served.children()]
        for _ in range(2):
            for pid in pids:
                os.kill(pid, signal.SIGTERM)
        served.process.send_signal(signal.SIGTERM)
        served.wait_for("INFO: +stopped")  # the other worker
        client.sendall(b"hello")
        assert re.match(rb"HTTP/1\.1 (200|405)", client.recv(65536))
        assert served.process.wait(PATIENCE) == 0


def test_all_processes_open_their_logs_again(tmp_path: Path) -> None:
    with ready(tmp_path) as served:
        served.process.send_signal(signal.SIGUSR1)
        served.wait_for(re.escape("the log files are opened again (SIGUSR1)"), times=4)
        assert len(served.pids()) == 2
