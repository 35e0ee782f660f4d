"""The end of the process: neither a thread of Atlas nor one of the application keeps it longer than the grace."""

import asyncio
import logging
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

from atlas.gateway.threads import BACKGROUND, in_thread
from atlas.server.event_loop import loop_factory, run_main

PATIENCE = 30.0

APP = """
import asyncio, threading, time
from atlas import Application, Route


def blocks():
    print("blocking", flush=True)
    time.sleep(60)


def in_background(request):
    request.app.background(blocks)
    return "x"


async def in_executor(request):
    await asyncio.to_thread(blocks)


def in_own_thread(request):
    threading.Thread(target=blocks).start()
    return "x"


app = Application([
    Route("/thread", lambda request: blocks(), run="thread"), Route("/background", in_background),
    Route("/executor", in_executor), Route("/own", in_own_thread),
])
"""


@pytest.mark.parametrize("path", ["/thread", "/background", "/executor", "/own"])
@pytest.mark.parametrize("signals", [1, 2])
def test_a_function_that_blocks_a_thread_does_not_keep_the_process(tmp_path: Path, path: str, signals: int) -> None:
    (tmp_path / "blocking.py").write_text(APP)
    process = subprocess.Popen(
        [sys.executable, "-m", "atlas", "serve", "blocking:app", "--port", "0", "--timeout-graceful-shutdown", "0.2"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stderr is not None
        found = re.search(r"127\.0\.0\.1:(\d+)", process.stderr.readline())
        assert found
        with socket.create_connection(("127.0.0.1", int(found[1])), PATIENCE) as client:
            client.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            assert process.stdout.readline() == "blocking\n"
            for _ in range(signals):
                process.send_signal(signal.SIGTERM)
                time.sleep(0.05)
            _, err = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode in ((0,) if signals == 1 else (0, -signal.SIGTERM)), err
    if signals == 1:
        assert re.search(r"blocking\.\S+ \(blocking\.py:\d+\), at blocking\.py:8, (still runs|keeps the process)", err)


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_functions_that_still_run_for_the_loop_are_named(loop: str, caplog: pytest.LogCaptureFixture) -> None:
    let_go, running = threading.Event(), threading.Barrier(3)

    def block() -> None:
        running.wait(PATIENCE)
        let_go.wait(PATIENCE)

    async def main() -> None:
        tasks = [asyncio.ensure_future(in_thread(block)), asyncio.ensure_future(BACKGROUND.run(block))]
        await asyncio.to_thread(running.wait, PATIENCE)
        for task in tasks:
            task.cancel()

    with caplog.at_level(logging.WARNING, "atlas.server"):
        run_main(main(), loop_factory(loop))
    let_go.set()
    assert caplog.text.count("block (") == caplog.text.count("still runs in a thread: it is not waited for") == 2
