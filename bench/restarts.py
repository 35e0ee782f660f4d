"""Restarts and killed workers under load: ``python -m bench.restarts`` counts the requests that are lost.

Clients of its own send one request after the other, on connections that are kept, and retry nothing: a request that is
not answered with 200 is lost. During a restart (SIGHUP) none may be. A worker that is killed takes with it what it had
in hand: at most one request for each of its connections.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Load", "Report", "main", "measure", "serving"]

APP = """
async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
    await send({"type": "http.response.body", "body": b"hello"})
"""
REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
READY_TIMEOUT = 60.0  # seconds until the workers serve, or are replaced


@dataclass
class Report:
    """What the clients have counted."""

    answered: int = 0
    connections: int = 0
    lost: list[str] = field(default_factory=list)


class Load:
    """Clients that send requests until they are stopped.

    :param port: of the server, or of a proxy in front of it.
    :param clients: how many there are.
    """

    def __init__(self, port: int, clients: int) -> None:
        self._port = port
        self._stopped = False
        self.report = Report()
        self._tasks = [asyncio.ensure_future(self._run()) for _ in range(clients)]

    async def stop(self) -> Report:
        """Let each client end its request; return what they have counted."""
        self._stopped = True
        await asyncio.gather(*self._tasks)
        return self.report

    async def _run(self) -> None:
        while not self._stopped:
            try:
                await self._use_connection()
            except (OSError, asyncio.IncompleteReadError) as error:
                self.report.lost.append(f"{type(error).__name__}: {error}")

    async def _use_connection(self) -> None:
        """Send requests on one connection until a response says that it is the last one."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        self.report.connections += 1
        try:
            while not self._stopped:
                writer.write(REQUEST)
                head = await reader.readuntil(b"\r\n\r\n")
                if not head.startswith(b"HTTP/1.1 200 "):
                    self.report.lost.append(head.partition(b"\r\n")[0].decode())
                    return
                match = re.search(rb"content-length: (\d+)", head.lower())
                await reader.readexactly(int(match[1]) if match else 0)
                self.report.answered += 1
                if b"connection: close" in head.lower():
                    return
        finally:
            writer.close()


@contextlib.contextmanager
def serving(folder: Path, *flags: str) -> Iterator[tuple[subprocess.Popen[bytes], int, Path]]:
    """``atlas serve`` with two workers; yields the process, the port and the log file."""
    (folder / "main.py").write_text(APP)
    log = folder / "log"
    command = [sys.executable, "-m", "atlas", "serve", "main:app", "--port", "0", "--workers", "2", "--no-access-log"]
    with (
        log.open("wb") as stderr,
        subprocess.Popen([*command, "--timeout-drain", "1", *flags], cwd=folder, stderr=stderr) as process,
    ):
        try:
            match = asyncio.run(wait_for(log, r"serving on http://127\.0\.0\.1:(\d+)"))
            asyncio.run(wait_for(log, "is ready", 2))
            yield process, int(match[1]), log
        finally:
            process.send_signal(signal.SIGTERM)


async def wait_for(log: Path, pattern: str, times: int = 1) -> re.Match[str]:
    """Wait until a line is that often in the log."""
    async with asyncio.timeout(READY_TIMEOUT):
        while len(found := list(re.finditer(pattern, log.read_text()))) < times:
            await asyncio.sleep(0.02)
    return found[-1]


async def measure(process: subprocess.Popen[bytes], port: int, log: Path, load: Load, restarts: int, kills: int) -> int:
    """Restart the workers, then kill some; return how many requests the restarts alone have lost."""
    for number in range(restarts):
        process.send_signal(signal.SIGHUP)
        await wait_for(log, "the workers are restarted", number + 1)
    await wait_for(log, r"(?m)^INFO: +stopped$", 2 * restarts)
    lost = len(load.report.lost)
    for number in range(kills):
        ready = len(re.findall("is ready", log.read_text()))
        os.kill(random.choice(worker_pids(log)), signal.SIGKILL)
        await wait_for(log, "was killed by SIGKILL", number + 1)
        await wait_for(log, "is ready", ready + 1)
    return lost


def worker_pids(log: Path) -> list[int]:
    """The workers that serve: each has said that it is ready, and lives."""
    found = [int(pid) for pid in re.findall(r"worker (\d+) is ready", log.read_text())]
    return [pid for pid in found if Path(f"/proc/{pid}").exists()][-2:]


async def _measure_for(args: argparse.Namespace, process: subprocess.Popen[bytes], port: int, log: Path) -> int:
    load = Load(args.port or port, args.clients)
    await asyncio.sleep(args.seconds / 4)
    lost = await measure(process, port, log, load, args.restarts, args.kills)
    await asyncio.sleep(args.seconds / 4)
    report = await load.stop()
    by_kills = len(report.lost) - lost
    print(f"{report.answered} requests on {report.connections} connections")
    print(f"{args.restarts} restarts lost {lost} requests, {args.kills} killed workers {by_kills}")
    return 0 if lost == 0 and by_kills <= args.kills * args.clients else 1


def main() -> int:
    """Run the program; return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=64, help="clients, 64 by default")
    parser.add_argument("--seconds", type=float, default=20, help="of load, half of them around the restarts")
    parser.add_argument("--restarts", type=int, default=3)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--port", type=int, help="of a proxy in front of the server")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as (process, port, log):
        return asyncio.run(_measure_for(args, process, port, log))


if __name__ == "__main__":
    sys.exit(main())
