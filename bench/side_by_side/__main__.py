"""``python -m bench.side_by_side``: load Atlas and its peers in one run and print what came out.

``--help`` lists the options.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from importlib import metadata
from pathlib import Path

from bench.side_by_side import load, memory, plot, rounds, scenarios, servers, table

RESULTS = Path(__file__).parents[1] / "results"


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line. Every list may be given with commas."""
    names = ", ".join(scenario.name for scenario in scenarios.SCENARIOS)
    known = ", ".join(server.name for server in servers.SERVERS)
    parser = argparse.ArgumentParser(
        prog="python -m bench.side_by_side", description="Atlas beside its peers, under the same load."
    )
    parser.add_argument("--only", type=listed, default=[], metavar="NAMES", help=f"scenarios: {names} (default: all)")
    parser.add_argument("--servers", type=listed, default=[], metavar="NAMES", help=f"servers: {known} (default: all)")
    parser.add_argument(
        "--add",
        action="append",
        default=[],
        metavar="NAME=COMMAND",
        help="one more server; {app} and {port} are filled in",
    )
    parser.add_argument("--base", default="uvicorn", metavar="NAME", help="whom the ratios are to (default: uvicorn)")
    parser.add_argument("--seconds", type=int, help="length of a round (default: 3)")
    parser.add_argument("--rounds", type=int, help="rounds per server and scenario (default: 5)")
    parser.add_argument("--quick", action="store_true", help="3 rounds of 1 second: a first impression")
    parser.add_argument("--server-core", type=int, default=0, help="the core of the server (default: 0)")
    parser.add_argument("--load-core", type=int, default=1, help="the core of wrk (default: 1)")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for plot and JSON (default: bench/results)")
    parser.add_argument("--memory", action="store_true", help="measure idle connections instead")
    parser.add_argument("--connections", type=int, default=4000, help="how many idle connections (default: 4000)")
    options = parser.parse_args(arguments)
    usual_seconds, usual_rounds = (1, 3) if options.quick else (3, 5)
    options.seconds = options.seconds or usual_seconds
    options.rounds = options.rounds or usual_rounds
    try:
        options.scenarios = scenarios.select(options.only)
        options.contestants = servers.select(options.servers, [servers.added(definition) for definition in options.add])
    except ValueError as error:
        parser.error(str(error))
    return options


def listed(text: str) -> list[str]:
    """Split at commas."""
    return [name.strip() for name in text.split(",") if name.strip()]


def present(contestants: Sequence[servers.Server]) -> list[servers.Server]:
    """Those that can be started here; a line for each that cannot."""
    here = []
    for server in contestants:
        if advice := server.missing():
            print(f"{server.name}: not here, skipped ({advice})")
        else:
            here.append(server)
    return here


def plan_of(options: argparse.Namespace) -> rounds.Plan:
    """Rounds and cores; with one core only there is nothing to pin, and the reader is told."""
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
    if not {options.server_core, options.load_core} <= cores:
        print(f"cores {options.server_core} and {options.load_core} can't both be had: nothing is pinned")
        return rounds.Plan(options.seconds, options.rounds, None, None)
    return rounds.Plan(options.seconds, options.rounds, options.server_core, options.load_core)


def machine() -> dict[str, str]:
    """What has to be known about the machine to compare two runs."""
    versions = {}
    for name in ("atlas-web", "uvicorn", "uvloop", "httptools", "granian"):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    about = {"python": platform.python_version(), "kernel": platform.release(), "processor": _processor()}
    return {**about, "cores": str(os.cpu_count()), **versions}


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()


def progress(line: str) -> None:
    """The one line that is overwritten, on a terminal only."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)


def as_json(outcomes: Sequence[rounds.Outcome], plan: rounds.Plan, base: str) -> str:
    """Everything that was measured, round by round."""
    results = [
        {
            "scenario": outcome.scenario.name,
            "title": outcome.scenario.title,
            "connections": outcome.scenario.connections,
            "entries": [_entry(entry, outcome.ratios(entry, base)) for entry in outcome.entries],
        }
        for outcome in outcomes
    ]
    at = time.strftime("%Y-%m-%dT%H:%M:%S%z")
    document = {"at": at, "machine": machine(), "plan": asdict(plan), "base": base, "results": results}
    return json.dumps(document, indent=2) + "\n"


def _entry(entry: rounds.Entry, ratios: rounds.Ratios) -> dict[str, object]:
    if not entry.rounds:
        return {"server": entry.label, "skipped": entry.skipped}
    return {
        "server": entry.label,
        "requests_per_second": entry.requests_per_second,
        "cpu_microseconds": entry.cpu * 1e6,
        "p99_milliseconds": entry.p99 and entry.p99 * 1e3,
        "busy": entry.busy,
        "spread": entry.spread,
        "errors": entry.errors,
        "skipped": entry.skipped,
        "ratios": asdict(ratios),
        "rounds": [asdict(one) for one in entry.rounds],
    }


def compare(options: argparse.Namespace) -> int:
    """All scenarios; tables as they are ready, then the files."""
    if advice := load.missing():
        print(advice, file=sys.stderr)
        return 2
    here, plan = present(options.contestants), plan_of(options)
    starts = plan.rounds * sum(len(rounds.contestants(scenario, here)) for scenario in options.scenarios)
    print(f"{starts} rounds, about {starts * (plan.seconds + 1.3) / 60:.0f} minutes\n", flush=True)
    outcomes: list[rounds.Outcome] = []
    try:
        with tempfile.TemporaryDirectory(prefix="side_by_side-") as directory:
            for scenario in options.scenarios:
                outcomes.append(rounds.measure(scenario, here, plan, Path(directory), progress))
                progress("")
                print(table.render(outcomes[-1], plan, options.base) + "\n", flush=True)
    finally:
        if outcomes:
            save(options.out, outcomes, plan, options.base)
    return 0


def save(out: Path, outcomes: Sequence[rounds.Outcome], plan: rounds.Plan, base: str) -> None:
    """Write plot and JSON, also of an interrupted run."""
    out.mkdir(parents=True, exist_ok=True)
    about = machine()
    subtitle = (
        f"one worker on one core, medians of {plan.rounds} rounds of {plan.seconds} s; "
        f"Python {about['python']}, {about['processor']}"
    )
    (out / "side_by_side.json").write_text(as_json(outcomes, plan, base))
    (out / "side_by_side.svg").write_text(plot.render(outcomes, base, subtitle))
    print(f"plot and figures: {out / 'side_by_side.svg'} and .json")


def main() -> int:
    options = parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that servers are stopped as on Ctrl-C
    try:
        if options.memory:
            return memory.compare(present(options.contestants), options.connections, plan_of(options), options.base)
        return compare(options)
    except KeyboardInterrupt:
        print("\ninterrupted; all servers are stopped", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
