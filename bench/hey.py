"""Load the example site with hey: ``python -m bench.hey``.

The site is served with the default settings, on a free port; hey prints its histogram. A second run, against a fresh
server, checks every request: all responses are 200, and the first request on a new connection, which waits until the
connection is accepted, takes no longer than the others.
"""

from __future__ import annotations

import argparse
import csv
import io
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.side_by_side.processes import StartFailed, free_port, running
from bench.side_by_side.rounds import ROOT

MISSING = "hey is not installed: apt install hey (Debian, Ubuntu), brew install hey (macOS)"
LATE = 5.0  # times the usual wait of a full queue: above it a connection was starved


@dataclass(frozen=True, slots=True)
class Request:
    """One line of hey's CSV: when it began, how long it took, both in seconds, and whether it had to connect first."""

    offset: float
    seconds: float
    status: int
    connected: bool


def parse_csv(text: str) -> list[Request]:
    """Read what ``hey -o csv`` prints. Raises ValueError if it is something else."""
    rows = list(csv.DictReader(io.StringIO(text)))
    if not rows or "response-time" not in rows[0]:
        raise ValueError(f"hey printed: {text.strip()[-300:] or 'nothing'}")
    return [
        Request(
            float(row["offset"]), float(row["response-time"]), int(row["status-code"]), float(row["DNS+dialup"]) > 0
        )
        for row in rows
    ]


def at(share: float, seconds: Sequence[float]) -> float:
    """The time that this share of all did not exceed."""
    return sorted(seconds)[min(len(seconds) - 1, int(share * len(seconds)))]


def verdict(requests: Sequence[Request], asked: int) -> tuple[list[str], bool]:
    """The report on all requests, and whether none failed or starved."""
    first = [request.seconds for request in requests if request.connected]
    later = [request.seconds for request in requests if not request.connected] or first
    lines = [
        f"{len(requests):,} of {asked:,} answered: {statuses(requests)}",
        f"first requests on their connection: {times(first)}" if first else "no new connection was seen",
        f"all others: {times(later)}",
    ]
    late = bool(first) and max(first) > LATE * at(0.99, later)
    if late:
        lines.append(
            f"! a first request waited {max(first) / median(later):.0f} times as long as the others usually do"
        )
    well = len(requests) == asked and all(request.status == 200 for request in requests) and not late
    return lines, well


def statuses(requests: Sequence[Request]) -> str:
    """How often each status was seen."""
    return ", ".join(f"{count:,} x {status}" for status, count in Counter(each.status for each in requests).items())


def times(seconds: Sequence[float]) -> str:
    """The middle, the end, and the very end, in milliseconds."""
    middle, late, last = median(seconds) * 1e3, at(0.99, seconds) * 1e3, max(seconds) * 1e3
    return f"half within {middle:.1f} ms, 99 % within {late:.1f} ms, the longest took {last:.1f} ms"


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.hey", description="Point hey at the example site and look.")
    parser.add_argument("target", nargs="?", default="main:app", help="the application (default: main:app)")
    parser.add_argument(
        "--app-dir", type=Path, default=ROOT / "examples/forum", help="its folder (default: the example)"
    )
    parser.add_argument("--path", default="/", help="what to ask for (default: /)")
    parser.add_argument("--requests", "-n", type=int, default=10_000, help="how many (default: 10000)")
    parser.add_argument("--connections", "-c", type=int, default=50, help="how many at a time (default: 50)")
    return parser.parse_args(arguments)


@contextmanager
def served(options: argparse.Namespace) -> Iterator[str]:
    """The address of the page, for the length of the block. Raises StartFailed."""
    port = free_port()
    words = [sys.executable, "-m", "atlas", "serve", options.target, "--app-dir", str(options.app_dir)]
    with (
        tempfile.TemporaryFile() as complaints,
        running(
            [*words, "--port", str(port)],
            port,
            core=None,
            environment={"PYTHONPATH": str(ROOT)},
            complaints=complaints,
        ),
    ):
        yield f"http://127.0.0.1:{port}{options.path}"


def hey(options: argparse.Namespace, *more: str) -> str:
    """What hey prints about a fresh server."""
    with served(options) as address:
        words = ["hey", "-n", str(options.requests), "-c", str(options.connections), *more, address]
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout


def main() -> int:
    """0: all is well. 1: something is odd. 2: it could not be asked."""
    options = parse()
    if shutil.which("hey") is None:
        print(MISSING, file=sys.stderr)
        return 2
    try:
        print(hey(options).strip(), flush=True)
        requests = parse_csv(hey(options, "-o", "csv"))
    except (StartFailed, subprocess.CalledProcessError, ValueError) as error:
        print(f"hey could not ask: {error}", file=sys.stderr)
        return 2
    asked = options.requests // options.connections * options.connections  # each of hey's workers asks equally often
    lines, well = verdict(requests, asked)
    print("\nEvery single request, on a fresh server:", *lines, sep="\n  ")
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
