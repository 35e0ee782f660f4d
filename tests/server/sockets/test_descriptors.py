"""The limit of descriptors: raised at the start, and never used up by connections."""

import logging
import re
import resource
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from atlas.server.sockets.descriptors import connection_limit, log_connection_limit, raise_soft_limit

Limits = tuple[int, int]


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> list[Limits]:
    """The soft and hard limits that the process has had; the last one counts."""
    had = [(1024, 1024)]

    def setrlimit(which: int, value: Limits) -> None:
        assert which == resource.RLIMIT_NOFILE
        had.append(value)

    monkeypatch.setattr(resource, "getrlimit", lambda which: had[-1])
    monkeypatch.setattr(resource, "setrlimit", setrlimit)
    return had


def test_the_soft_limit_becomes_the_hard_one(limits: list[Limits]) -> None:
    limits[:] = [(64, 4096)]
    raise_soft_limit()
    assert limits[-1] == (4096, 4096)
    raise_soft_limit()
    assert len(limits) == 2


def test_a_hard_limit_that_is_unlimited_is_left_alone(limits: list[Limits]) -> None:
    limits[:] = [(256, resource.RLIM_INFINITY)]
    raise_soft_limit()
    assert len(limits) == 1


@pytest.mark.parametrize("error", [ValueError("not allowed"), OSError(1, "not permitted")])
def test_a_limit_that_cannot_be_raised_stays(
    limits: list[Limits], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def refuse(which: int, value: Limits) -> None:
        raise error

    limits[:] = [(64, 4096)]
    monkeypatch.setattr(resource, "setrlimit", refuse)
    raise_soft_limit()
    assert limits == [(64, 4096)]


@pytest.mark.parametrize(
    ("soft", "setting", "limit"),
    [
        (1024, None, 480),
        (1024, 100, 100),
        (1024, 5000, 480),
        (128, None, 32),
        (64, None, 16),
        (2, None, 1),
        (resource.RLIM_INFINITY, 100, 100),
    ],
)
def test_each_connection_may_need_a_second_descriptor(
    limits: list[Limits], soft: int, setting: int | None, limit: int
) -> None:
    limits[:] = [(soft, soft)]
    assert connection_limit(setting) == limit


def test_without_a_descriptor_limit_there_is_hardly_any(limits: list[Limits]) -> None:
    limits[:] = [(resource.RLIM_INFINITY,) * 2]
    assert connection_limit(None) >= 1_000_000


@pytest.mark.parametrize(
    ("setting", "limit", "expected"),
    [
        (None, 480, ["at most 480 connections fit: the limit of open files is 1024 (ulimit -n)"]),
        (None, 1000, []),
        (5000, 480, ["--limit-connections 5000 is reduced to 480: the limit of open files is 1024 (ulimit -n)"]),
        (10, 10, []),
    ],
)
def test_too_few_connections_are_logged(
    limits: list[Limits], caplog: pytest.LogCaptureFixture, setting: int | None, limit: int, expected: list[str]
) -> None:
    with caplog.at_level(logging.DEBUG, "atlas.server"):
        log_connection_limit(setting, limit)
    assert caplog.messages == expected


PROGRAM = """
import resource
import socket
import sys
import threading
import atlas

def ask(server):
    with socket.create_connection(server.sockets[0].getsockname()) as client:
        client.sendall(b"GET / HTTP/1.1\\r\\nHost: a\\r\\nConnection: close\\r\\n\\r\\n")
        return client.makefile("rb").read().split(b"\\r\\n")[0].decode()

app = atlas.Application([atlas.Route("/", lambda request: "hello")])
resource.setrlimit(resource.RLIMIT_NOFILE, (80, 80))
with atlas.Server(app, port=0, access_log=False).run_in_thread() as server:
    address = server.sockets[0].getsockname()
    silent = []
    for _ in range(30):
        silent.append(socket.socket(fileno=None))
        silent[-1].connect(address)
        print(ask(server))
"""


def test_silent_connections_make_room_when_there_are_few_descriptors() -> None:
    """30 clients in the same process: 20 connections fit into 80 descriptors."""
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(PROGRAM)], capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines() == ["HTTP/1.1 200 OK"] * 30, done.stderr


@pytest.mark.parametrize("workers", [1, 2])
def test_a_process_with_64_descriptors_says_so_and_serves(workers: int, tmp_path: Path) -> None:
    """More silent clients than there are descriptors: a new client is served, and nothing fails (EMFILE)."""
    app = "import atlas\napp = atlas.Application([atlas.Route('/', lambda request: 'hello')])\n"
    (tmp_path / "main.py").write_text(app)
    serve = f"ulimit -n 64; exec {sys.executable} -m atlas serve main:app --port 0 --no-access-log --workers {workers}"
    with subprocess.Popen(["/bin/sh", "-c", serve], cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        lines = []
        for line in process.stderr:
            lines.append(line)
            if match := re.search(r"serving on http://127\.0\.0\.1:(\d+)", line):
                break
        address = ("127.0.0.1", int(match[1]))  # type: ignore[index]
        silent = [socket.create_connection(address) for _ in range(100)]
        for _ in range(3):
            with socket.create_connection(address, timeout=30) as client:
                client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                assert client.makefile("rb").read().endswith(b"hello")
        for client in silent:
            client.close()
        process.terminate()
        lines += process.stderr.readlines()
        assert process.wait(30) == 0
    text = "".join(lines)
    assert text.count("at most 16 connections fit: the limit of open files is 64 (ulimit -n)") == workers
    assert "Traceback" not in text
    assert "ERROR" not in text
