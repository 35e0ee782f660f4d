"""Standard output and error: closed, or read by nothing. A server starts, serves and stops all the same."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from atlas.errors import StartupError
from atlas.server.logs.output import LogFile, Output
from tests.server.pipes import read_all

PATIENCE = 30.0


def test_lines_are_dropped_whole() -> None:
    reading, writing = os.pipe()
    with open(writing, "w") as stream:
        output = Output(stream)
        line = "x" * 999 + "\n"
        for _ in range(300):
            output.write(line)
        text = b""
        while output.pending:
            text += read_all(reading)
            output.flush()
        text += read_all(reading)
    os.close(reading)
    lines = text.decode().splitlines(keepends=True)
    assert set(lines) == {line}
    assert len(lines) + output.dropped == 300
    assert output.dropped


def test_a_reader_that_is_gone_ends_the_output() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w") as stream:
        output = Output(stream)
        output.write("a\n")
        assert output.is_gone
        assert isinstance(output.error, BrokenPipeError)
        output.write("b\n")
        output.flush()
        assert not output.pending


def test_a_stream_without_a_descriptor_is_written_to(tmp_path: Path) -> None:
    class Stream:
        def __init__(self) -> None:
            self.text = ""

        def write(self, text: str) -> None:
            self.text += text

    stream = Stream()
    Output(stream).write("a\n")  # type: ignore[arg-type]
    assert stream.text == "a\n"
    with open(tmp_path / "x", "w") as closed:
        output = Output(closed)
    output.write("a\n")
    assert output.is_gone


def test_the_last_lines_wait_for_a_reader_that_is_slow() -> None:
    reading, writing = os.pipe()
    with open(writing, "w") as stream:
        output = Output(stream)
        while not output.pending:
            output.write("x" * 999 + "\n")
        kept = len(output.pending)
        text = [b""]
        reader = threading.Thread(target=lambda: text.append(os.read(reading, 1 << 20)))
        reader.start()
        output.close()
        reader.join()
    os.close(reading)
    assert kept
    assert not output.pending


def test_the_last_lines_do_not_wait_for_a_full_disk() -> None:
    with open("/dev/full", "w") as stream:
        output = Output(stream)
        output.write("a\n")
        start = time.monotonic()
        output.close()
        assert isinstance(output.error, OSError)
        assert time.monotonic() - start < 0.5  # the time that a reader would have is a second


def test_lines_are_appended_to_a_file_which_can_be_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("before\n")
    output = Output(LogFile(str(path), "--log-file"))
    assert output.name == str(path)
    output.write("1\n")
    path.rename(tmp_path / "log.1")
    output.write("2\n")
    output.reopen()
    output.write("3\n")
    output.close()
    output.write("4\n")
    assert (tmp_path / "log.1").read_text() == "before\n1\n2\n"
    assert path.read_text() == "3\n"
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_file_that_cannot_be_opened_again_is_kept(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    path = tmp_path / "folder" / "log"
    output = Output(LogFile(str(path), "--log-file"))
    (tmp_path / "folder").rename(tmp_path / "renamed")
    with pytest.raises(FileNotFoundError):
        output.reopen()
    output.write("1\n")
    output.close()
    assert (tmp_path / "renamed" / "log").read_text() == "1\n"


def test_a_file_that_cannot_be_opened_stops_the_start(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(StartupError, match=r"^--log-file .*: cannot be opened: it is a pipe that nothing reads$"):
        LogFile(str(tmp_path / "pipe"), "--log-file")
    with pytest.raises(StartupError, match=r"^--log-file .*: cannot be opened: Is a directory$"):
        LogFile(str(tmp_path), "--log-file")


def test_a_pipe_with_a_name_that_is_full_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    reading = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    output = Output(LogFile(str(tmp_path / "pipe"), "--log-file"))
    for _ in range(300):
        output.write("x" * 999 + "\n")
    assert output.dropped
    os.close(reading)
    output.close()
    assert output.is_gone


APP = """
import sys
from atlas import Application, Route
from tests.server.pipes import read_all

app = Application([Route("/", lambda request: f"{sys.stdin.fileno()}{sys.stdout.fileno()}{sys.stderr.fileno()}")])
"""


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2)], ids=str)
def test_a_start_with_closed_standard_streams(tmp_path: Path, closed: tuple[int, ...], loop: str) -> None:
    (tmp_path / "closed.py").write_text(APP)
    redirections = " ".join(f"{each}>&-" for each in closed)
    flags = f"--uds atlas.sock --loop {loop}"
    process = subprocess.Popen(
        ["sh", "-c", f"exec '{sys.executable}' -m atlas serve closed:app {flags} {redirections}"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(PATIENCE)
            while client.connect_ex(str(tmp_path / "atlas.sock")) != 0:
                assert process.poll() is None
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            assert re.search(rb"\r\n\r\n012$", client.makefile("rb").read())
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        process.wait()
