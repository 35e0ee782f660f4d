"""``atlas serve`` as a process: what a person sees on the terminal, and the status that a service manager sees."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import pytest

PATIENCE = 30.0

APP = """
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        print("lifespan is down", flush=True)
        await send({"type": "lifespan.shutdown.complete"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})
"""
REFUSES = """
async def app(scope, receive, send):
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "the database is away"})
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "main.py").write_text(APP)
    (tmp_path / "refuses.py").write_text(REFUSES)
    return tmp_path


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("ATLAS_SERVE_")}
    environ["PYTHONPATH"] = str(Path(__file__).parents[2])
    return subprocess.Popen(
        [sys.executable, "-m", "atlas", "serve", *arguments],
        cwd=folder,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def serving(folder: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process and its line about where it listens."""
    process = start(folder, *arguments)
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        if "watching" in line:  # with --dev
            line = process.stderr.readline()
        yield process, line
    finally:
        process.kill()
        process.communicate()


def end(process: subprocess.Popen[str], number: signal.Signals) -> tuple[int, str, str]:
    process.send_signal(number)
    out, err = process.communicate(timeout=PATIENCE)
    return process.returncode, out, err


def fails(folder: Path, *arguments: str) -> tuple[int, list[str]]:
    process = start(folder, *arguments)
    out, err = process.communicate(timeout=PATIENCE)
    assert out == ""
    return process.returncode, err.splitlines()


def get(port: int) -> bytes:
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    connection.request("GET", "/a?b=c")
    body = connection.getresponse().read()
    connection.close()
    return body


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_where_it_listens_answers_and_stops(folder: Path, number: signal.Signals) -> None:
    with serving(folder, "--port", "0") as (process, line):
        found = re.search(r"^INFO:     .*http://127\.0\.0\.1:(\d+)", line)
        assert found, line
        assert get(int(found[1])) == b"hello"
        status, out, err = end(process, number)
    assert status == 0, err
    assert "Traceback" not in err
    lines = out.splitlines()
    assert [
        text for text in lines if re.fullmatch(r'INFO:     127\.0\.0\.1:\d+ - "GET /a\?b=c HTTP/1\.1" 200 OK', text)
    ]
    assert "lifespan is down" in lines


def test_on_a_unix_socket(folder: Path) -> None:
    with serving(folder, "main:app", "--uds", "atlas.sock") as (process, line):
        assert f"unix:{folder / 'atlas.sock'}" in line
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(PATIENCE)
            client.connect(str(folder / "atlas.sock"))
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            assert client.makefile("rb").read().endswith(b"hello")
        assert end(process, signal.SIGTERM)[0] == 0
    assert not (folder / "atlas.sock").exists()


def test_a_port_in_use_is_one_line(folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        status, lines = fails(folder, "main:app", "--port", str(port))
    assert status == 1
    assert lines == [f"Error: 127.0.0.1:{port} is already in use: choose another --port (0 means any free port)"]


def test_an_application_that_refuses_to_start_is_status_3_and_its_own_message(folder: Path) -> None:
    status, lines = fails(folder, "refuses:app", "--port", "0")
    assert status == 3
    assert "the database is away" in "\n".join(lines)
    assert not any(line.startswith("Traceback") for line in lines)


def test_an_application_that_is_not_there_is_status_1(folder: Path) -> None:
    status, lines = fails(folder, "main:ap", "--port", "0")
    assert (status, lines) == (1, ["Error: 'main' has no attribute 'ap': did you mean 'app'?"])


def test_a_setting_that_will_not_do_is_status_2(folder: Path) -> None:
    status, lines = fails(folder, "main:app", "--port", "0", "--access-log-format", "%(z)s")
    assert status == 2
    assert len(lines) == 1
    assert lines[0].startswith("Error: --access-log-format: expected one of the atoms ")
