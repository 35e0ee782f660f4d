"""``gunicorn -k atlas.gunicorn.Worker`` with real gunicorn: its restarts, limits, signs of life, TLS, sockets."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from tests.server.workers.served import PATIENCE, Served

APP = """
import os, time
from atlas import Application, Route, TextResponse

def pid(request):
    return TextResponse(str(os.getpid()))

def block(request):
    time.sleep(60)

def where(request):
    return TextResponse(f"{request.scheme} {request.ip}")

app = Application([Route("/", pid), Route("/block", block, run="inline"), Route("/where", where)])
"""


@contextlib.contextmanager
def gunicorn(folder: Path, *flags: str, app: str = APP, bind: str = "127.0.0.1:0") -> Iterator[Served]:
    (folder / "main.py").write_text(app)
    command = [sys.executable, "-m", "gunicorn", "-k", "atlas.gunicorn.Worker", "main:app", "--bind", bind]
    environ = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1]), "ATLAS_SERVE_TIMEOUT_DRAIN": "0.2"}
    with subprocess.Popen(
        [*command, "--no-control-socket", *flags],
        cwd=folder,
        env=environ,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    ) as process:
        served = Served(process)
        try:
            match = served.wait_for(r"Listening at: \w+:(?://127\.0\.0\.1:(\d+))?")
            served.port = int(match[1] or 0)
            yield served
        finally:
            if process.poll() is None:
                served.stop()


def test_it_serves_restarts_without_loss_and_stops(tmp_path: Path) -> None:
    with gunicorn(tmp_path, "--workers", "2") as served:
        served.wait_for("serving on", times=2)
        before = served.pids()
        answers: list[str] = []
        done = threading.Event()

        def ask() -> None:
            while not done.is_set():
                answers.append(served.get())

        clients = [threading.Thread(target=ask) for _ in range(2)]
        for client in clients:
            client.start()
        served.process.send_signal(signal.SIGHUP)
        served.wait_for(r"\bstopped", times=2)
        done.set()
        for client in clients:
            client.join(PATIENCE)
        assert answers
        assert all(answer.isdigit() for answer in answers)
        assert served.pids().isdisjoint(before)
        assert served.stop() == 0


def test_a_worker_ends_after_max_requests(tmp_path: Path) -> None:
    with gunicorn(tmp_path, "--max-requests", "3") as served:
        assert len({served.get() for _ in range(9)}) == 3


def test_a_worker_without_signs_of_life_is_replaced(tmp_path: Path) -> None:
    with gunicorn(tmp_path, "--timeout", "2") as served:
        before = served.get()
        with socket.create_connection(("127.0.0.1", served.port), PATIENCE) as client:
            client.sendall(b"GET /block HTTP/1.1\r\nHost: a\r\n\r\n")
            served.wait_for("WORKER TIMEOUT")
            served.wait_for("in block")  # its stack
            served.wait_for("serving on")
        assert served.get() != before


def test_tls(tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    certificate.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "cert.pem"))
    context = ssl.create_default_context()
    authority.configure_trust(context)
    flags = ["--certfile", "cert.pem", "--keyfile", "cert.pem"]
    with gunicorn(tmp_path, *flags) as served:
        connection = http.client.HTTPSConnection("localhost", served.port, context=context, timeout=PATIENCE)
        with contextlib.closing(connection):
            connection.request("GET", "/where")
            assert connection.getresponse().read().startswith(b"https 127.0.0.1")


def test_a_unix_socket_and_a_proxy(tmp_path: Path) -> None:
    with gunicorn(tmp_path, bind="unix:socket"), socket.socket(socket.AF_UNIX) as client:
        client.settimeout(PATIENCE)
        client.connect(os.path.relpath(tmp_path / "socket"))
        client.sendall(b"GET /where HTTP/1.0\r\nX-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https\r\n\r\n")
        assert client.makefile("rb").read().endswith(b"https 192.0.2.7")


def test_the_access_log_is_gunicorn_s(tmp_path: Path) -> None:
    with gunicorn(tmp_path, "--access-logfile", "access.log", "--access-logformat", "%(m)s %(U)s %(s)s") as served:
        served.get()
        assert served.stop() == 0
    assert (tmp_path / "access.log").read_text() == "GET / 200\n"


@pytest.mark.parametrize(
    ("app", "line"),
    [
        ("async def app(scope, receive, send):\n    raise OSError", None),
        ("def app(environ, start_response):\n    return []", "the application cannot be served"),
    ],
)
def test_an_application_that_cannot_be_served(tmp_path: Path, app: str, line: str | None) -> None:
    with gunicorn(tmp_path, app=app) as served:
        if line is None:
            served.wait_for("serving on")
            assert served.stop() == 0
        else:
            served.wait_for(re.escape(line))
            assert served.process.wait(PATIENCE) == 3
