"""Standard output and error: closed, or read by nothing. A server starts, serves and stops all the same."""

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from atlas.server.logs.output import Output
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
