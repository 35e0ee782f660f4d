"""SIGTERM and SIGINT: while the application starts, and while one of its functions blocks the event loop."""

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

import pytest

PATIENCE = 30.0

STARTS = {
    "async def": """
async def start(app):
    print("starting", flush=True)
    await asyncio.sleep(60)

app.on_startup(start)
""",
    "def that waits": """
def start(app):
    print("starting", flush=True)
    await_(asyncio.sleep(60))

app.on_startup(start)
""",
    "def that blocks": """
def start(app):
    print("starting", flush=True)
    time.sleep(60)

app.on_startup(start)
""",
    "lifespan": """
@contextlib.asynccontextmanager
async def lifespan(app):
    try:
        print("starting", flush=True)
        await asyncio.sleep(60)
        yield
    finally:
        print("cleaned up", flush=True)

app = Application([], lifespan=lifespan)
""",
    "raw ASGI": """
async def app(scope, receive, send):
    await receive()
    print("starting", flush=True)
    await asyncio.sleep(60)
""",
}
HEAD = "import asyncio, contextlib, time\nfrom atlas import Application, Route, await_\napp = Application([])\n"

BLOCKS = """
import time
from atlas import Application, Route

def blocks(request):
    print("blocking", flush=True)
    time.sleep(60)

app = Application([Route("/", blocks)])
"""


@contextmanager
def serving(folder: Path, code: str, *flags: str) -> Iterator[subprocess.Popen[str]]:
    (folder / "signalled.py").write_text(code)
    process = subprocess.Popen(
        [sys.executable, "-m", "atlas", "serve", "signalled:app", "--port", "0", *flags],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize("start", STARTS)
def test_a_signal_ends_a_startup(tmp_path: Path, start: str, loop: str) -> None:
    number = signal.SIGTERM if loop == "uvloop" else signal.SIGINT
    with serving(tmp_path, HEAD + STARTS[start], "--loop", loop) as process:
        assert line(process) == "starting"
        process.send_signal(number)
        out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    assert "stopped before the startup of the application was complete" in err
    assert "Traceback" not in err
    assert out == ("cleaned up\n" if start == "lifespan" else "")


@pytest.mark.parametrize(("grace", "signals"), [("60", 2), ("0", 1)])
def test_a_function_that_blocks_the_loop_is_named_when_the_process_ends(
    tmp_path: Path, grace: str, signals: int
) -> None:
    with serving(tmp_path, BLOCKS, "--timeout-graceful-shutdown", grace) as process:
        assert process.stderr is not None
        found = re.search(r"127\.0\.0\.1:(\d+)", process.stderr.readline())
        assert found
        with socket.create_connection(("127.0.0.1", int(found[1])), PATIENCE) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert line(process) == "blocking"
            for _ in range(signals):
                process.send_signal(signal.SIGTERM)
                time.sleep(0.1)  # two signals that come together are one
            _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert re.search(r"ERROR: +signalled\.blocks \(signalled\.py:5\), at signalled\.py:7, blocks the event loop", err)
