"""Echo beside other servers: CPU time of the server per message, in rounds that take turns.

``python -m bench.websocket`` prints a table; each server is a process of its own, and has 64 connections.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile

from bench.side_by_side.processes import free_port, running
from bench.websocket.load import run_load

CONNECTIONS = 64
APPS = "bench.websocket.apps"


def _atlas(app: str, port: int) -> list[str]:
    return [
        sys.executable, "-m", "atlas", "serve", f"{APPS}:{app}", "--port", str(port), "--no-access-log",
        "--lifespan", "off",
    ]  # fmt: skip


def _uvicorn(port: int) -> list[str]:
    return [
        sys.executable, "-m", "uvicorn", f"{APPS}:asgi", "--port", str(port), "--no-access-log", "--loop", "uvloop",
        "--http", "httptools", "--lifespan", "off",
    ]  # fmt: skip


def _granian(port: int) -> list[str]:
    return [
        sys.executable, "-m", "granian", f"{APPS}:asgi", "--port", str(port), "--interface", "asginl", "--loop",
        "uvloop", "--workers", "1", "--no-access-log",
    ]  # fmt: skip


SERVERS = {
    "atlas": lambda port: _atlas("asgi", port),
    "atlas, async controller": lambda port: _atlas("app", port),
    "atlas, sync controller": lambda port: _atlas("sync_app", port),
    "uvicorn": _uvicorn,
    "granian": _granian,
    "picows": lambda port: [sys.executable, "-m", APPS, str(port)],
}


def measure(name: str, size: int, seconds: float, text: bool) -> tuple[float, float]:
    """Return the server's CPU time per message in microseconds, and the messages per second."""
    port = free_port()
    with (
        tempfile.TemporaryFile() as complaints,
        running(SERVERS[name](port), port, core=None, environment={}, complaints=complaints) as server,
    ):
        run_load(port, connections=CONNECTIONS, seconds=0.3, size=size, text=text)
        before = server.cpu_seconds()
        messages, elapsed = run_load(port, connections=CONNECTIONS, seconds=seconds, size=size, text=text)
        return (server.cpu_seconds() - before) / messages * 1e6, messages / elapsed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sizes", type=int, nargs="*", default=[64, 16384])
    parser.add_argument("--servers", nargs="*", default=list(SERVERS))
    options = parser.parse_args()
    for size in options.sizes:
        figures: dict[str, list[tuple[float, float]]] = {name: [] for name in options.servers}
        for _ in range(options.rounds):
            for name, found in figures.items():
                found.append(measure(name, size, options.seconds, text=size < 1024))
        print(f"\necho of {size} bytes, {CONNECTIONS} connections")
        best = {name: min(found)[0] for name, found in figures.items()}
        for name, found in figures.items():
            median = statistics.median(micro for micro, _ in found)
            rate = max(rate for _, rate in found)
            ratios = "  ".join(
                f"{best[name] / best[other]:5.2f}x {other}"
                for other in ("uvicorn", "granian", "picows", "atlas")
                if other in best
            )
            print(f"  {name:24} {best[name]:6.2f} us ({median:6.2f})  {rate:8.0f}/s  {ratios}")


if __name__ == "__main__":
    main()
