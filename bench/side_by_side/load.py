"""Run wrk: its command line, and what it prints."""

from __future__ import annotations

import re
import resource
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from bench.side_by_side.client import HOST
from bench.side_by_side.latency import Latencies
from bench.side_by_side.processes import pinned
from bench.side_by_side.scenarios import Scenario

HERE = Path(__file__).parent
MISSING = "wrk is not installed: apt install wrk (Debian, Ubuntu), dnf install wrk (Fedora), brew install wrk (macOS)"

UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
PERCENTILE = re.compile(r"^\s*(50|99)(?:\.0+)?%\s+([\d.]+)(us|ms|s|m|h)\s*$", re.MULTILINE)
TOTAL = re.compile(r"^\s*(\d+) requests in ([\d.]+)(us|ms|s|m|h),", re.MULTILINE)
SOCKET_ERRORS = re.compile(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)")
STATUS_ERRORS = re.compile(r"Non-2xx or 3xx responses: (\d+)")


class LoadFailed(Exception):
    """wrk did not run, or its output is not understood."""


@dataclass(frozen=True, slots=True)
class Load:
    """What wrk measured: responses, seconds in all, median and 99th percentile of the latency in seconds, errors.

    wrk does not know the latency of pipelined requests, though it prints a number: ``p50`` and ``p99`` are None then.
    ``latencies`` has every latency where the scenario asks for them.
    """

    requests: int
    seconds: float
    p50: float | None
    p99: float | None
    errors: int
    latencies: Latencies | None = None


def parse(output: str, depth: int = 1) -> Load:
    """Read what wrk prints with ``--latency``. Raises LoadFailed if the totals are not in it."""
    total = TOTAL.search(output)
    latency = {share: float(value) * UNITS[unit] for share, value, unit in PERCENTILE.findall(output)}
    if total is None or latency.keys() != {"50", "99"}:
        raise LoadFailed(f"wrk printed: {output.strip()[-300:] or 'nothing'}")
    errors = sum(int(count) for count in found.groups()) if (found := SOCKET_ERRORS.search(output)) else 0
    errors += int(found[1]) if (found := STATUS_ERRORS.search(output)) else 0
    p50, p99 = (latency["50"], latency["99"]) if depth == 1 else (None, None)
    everything = Latencies.parse(output)
    seconds = float(total[2]) * UNITS[total[3]]
    return Load(int(total[1]), seconds, p50, p99, errors, everything if everything.counts else None)


def command(scenario: Scenario, port: int, seconds: int) -> list[str]:
    """The command line of wrk for a scenario."""
    words = [
        "wrk",
        "--latency",
        "--threads",
        "1",
        "--connections",
        str(scenario.connections),
        "--duration",
        f"{seconds}s",
    ]
    for name, value in scenario.headers:
        words += ["--header", f"{name}: {value}"]
    url = f"http://{HOST}:{port}{scenario.path}"
    if scenario.depth > 1:
        return [*words, "--script", str(HERE / "pipelined.lua"), url, "--", str(scenario.depth)]
    if scenario.method != "GET" or scenario.body:
        return [*words, "--script", str(HERE / "request.lua"), url, "--", scenario.method, *repeated(scenario.body)]
    if scenario.latencies:
        return [*words, "--script", str(HERE / "latencies.lua"), url]
    return [*words, url]


def repeated(body: bytes) -> tuple[str, str]:
    """A body as (text, repetitions): a mebibyte of one letter is too long for a command line."""
    if body and body == body[:1] * len(body):
        return body[:1].decode("ascii"), str(len(body))
    return body.decode("ascii"), "1"


def missing() -> str | None:
    """Say what to install before anything can be measured; None if nothing."""
    return None if shutil.which("wrk") else MISSING


def warm(scenario: Scenario, port: int, core: int | None) -> None:
    """Apply the same load for 0.3 s: caches and pools fill, and the interpreter specialises its bytecode."""
    words = pinned(command(scenario, port, 10), core)
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        process.wait(0.3)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
        process.wait(5)
    finally:
        process.kill()
        process.wait()


def run(scenario: Scenario, port: int, seconds: int, core: int | None) -> tuple[Load, float]:
    """Load the server. Returns what wrk measured and the CPU seconds that wrk itself used. Raises LoadFailed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    result = subprocess.run(
        pinned(command(scenario, port, seconds), core), capture_output=True, text=True, timeout=seconds + 30
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if result.returncode != 0:
        raise LoadFailed(f"wrk ended with status {result.returncode}: {result.stderr.strip()[-300:]}")
    return parse(result.stdout, scenario.depth), after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
