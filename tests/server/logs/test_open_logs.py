"""The logs of a process: opened again on SIGUSR1, and written to their end however it ends."""

import logging
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from atlas.server.logs import open_logs
from atlas.server.logs.output import LogFile, Output

PATIENCE = 30.0


def test_each_file_is_opened_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Log:
        output = Output(LogFile(str(tmp_path / "log"), "--log-file"))

        def write_rest(self) -> None: ...

    log = Log()
    open_logs.register(log)
    handler = logging.FileHandler(tmp_path / "handler")
    unused = logging.FileHandler(tmp_path / "unused", delay=True)
    logger = logging.getLogger("of_a_test")
    logger.handlers = [handler, unused]
    for name in ("log", "handler"):
        (tmp_path / name).rename(tmp_path / f"{name}.1")
    with caplog.at_level(logging.INFO, "atlas.server"):
        open_logs.reopen()
    logger.handlers = []
    log.output.write("1\n")
    handler.emit(logging.makeLogRecord({"msg": "2"}))
    handler.close()
    log.output.close()
    assert (tmp_path / "log").read_text() == "1\n"
    assert (tmp_path / "handler").read_text() == "2\n"
    assert not (tmp_path / "unused").exists()
    assert "the log files are opened again (SIGUSR1)" in caplog.text


def test_a_file_that_cannot_be_opened_again_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "folder").mkdir()
    log = SimpleNamespace(output=Output(LogFile(str(tmp_path / "folder" / "log"), "")), write_rest=lambda: None)
    handler = logging.FileHandler(tmp_path / "folder" / "handler")

    class Log:
        output = log.output
        write_rest = log.write_rest

    kept = Log()
    open_logs.register(kept)
    logger = logging.getLogger("of_a_test")
    logger.handlers = [handler]
    (tmp_path / "folder").rename(tmp_path / "renamed")
    with caplog.at_level(logging.ERROR, "atlas.server"):
        open_logs.reopen()
    logger.handlers = []
    handler.emit(logging.makeLogRecord({"msg": "2"}))
    handler.close()
    log.output.close()
    assert len(caplog.messages) == 2
    assert all(message.endswith("cannot be opened again: No such file or directory") for message in caplog.messages)
    assert (tmp_path / "renamed" / "handler").read_text() == "2\n"


APP = """
import sys, threading, time, logging
from atlas import Application, Route

def blocks(request):
    print("blocking", flush=True)
    time.sleep(60)

def states(request):
    names = [name for name in logging.root.manager.loggerDict if not name.startswith("atlas")]
    changed = [name for name in names if isinstance(logger := logging.getLogger(name), logging.Logger)
               and (logger.handlers or logger.level or logger.disabled)]
    return {"changed": changed, "root": len(logging.root.handlers), "level": logging.root.level}

app = Application([Route("/", lambda request: "x"), Route("/blocks", blocks), Route("/states", states)])
"""


@contextmanager
def serving(folder: Path, *flags: str, stdout: int = subprocess.PIPE) -> Iterator[tuple[subprocess.Popen[str], int]]:
    (folder / "logged.py").write_text(APP)
    process = subprocess.Popen(
        [sys.executable, "-m", "atlas", "serve", "logged:app", "--port", "0", *flags],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        while not (found := re.search(r"127\.0\.0\.1:(\d+)", line := process.stderr.readline())):
            assert line
        yield process, int(found[1])
    finally:
        process.kill()
        process.communicate()


def request(port: int, path: str = "/") -> bytes:
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as client:
        client.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        return client.makefile("rb").read()


def test_only_the_loggers_of_atlas_are_configured(tmp_path: Path) -> None:
    with serving(tmp_path) as (_, port):
        assert request(port, "/states").endswith(b'{"changed":[],"root":0,"level":30}')


@pytest.mark.parametrize(("workers", "status"), [("1", 1), ("2", 0)])
def test_a_line_of_the_access_log_is_not_lost_when_a_stop_is_forced(tmp_path: Path, workers: str, status: int) -> None:
    with (
        serving(tmp_path, "--timeout-graceful-shutdown", "60", "--workers", workers) as (process, port),
        socket.create_connection(("127.0.0.1", port), PATIENCE) as client,
    ):
        # In one packet: the lines of the first two wait for the end of a batch while the third blocks the loop.
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 2 + b"GET /blocks HTTP/1.1\r\nHost: a\r\n\r\n")
        assert process.stdout is not None
        assert process.stdout.readline() == "blocking\n"
        for _ in range(2):
            process.send_signal(signal.SIGTERM)
            time.sleep(0.1)  # two signals that come together are one
        out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == status, err
    assert out.count('"GET / HTTP/1.1" 200 OK') == 2


def test_sigusr1_opens_the_files_again(tmp_path: Path) -> None:
    with serving(tmp_path, "--access-log-file", "access.log") as (process, port):
        assert b"200 OK" in request(port, "/?1")
        wait_for(tmp_path / "access.log", "/?1")
        (tmp_path / "access.log").rename(tmp_path / "access.log.1")
        process.send_signal(signal.SIGUSR1)
        assert process.stderr is not None
        assert "the log files are opened again (SIGUSR1)" in process.stderr.readline()
        assert b"200 OK" in request(port, "/?2")
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    assert "/?2" in (tmp_path / "access.log").read_text()
    assert "/?2" not in (tmp_path / "access.log.1").read_text()


def wait_for(path: Path, text: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while text not in path.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_full_disk_does_not_keep_the_server_from_serving(tmp_path: Path) -> None:
    with serving(tmp_path, "--access-log-file", "/dev/full") as (process, port):
        for _ in range(3):
            assert b"200 OK" in request(port)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert "/dev/full: No space left on device: 0 lines of the access log were dropped" in err


def test_a_full_disk_for_the_log_does_not_keep_the_server_from_starting(tmp_path: Path) -> None:
    (tmp_path / "logged.py").write_text(APP)
    process = subprocess.Popen(
        [sys.executable, "-m", "atlas", "serve", "logged:app", "--uds", "x.sock", "--log-file", "/dev/full"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(PATIENCE)
            while client.connect_ex(str(tmp_path / "x.sock")) != 0:
                assert process.poll() is None
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            assert b"200 OK" in client.makefile("rb").read()
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        process.wait()
