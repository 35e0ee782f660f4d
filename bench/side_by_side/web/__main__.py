"""``python -m bench.side_by_side.web``: the same web applications in Atlas and in its peers, under load.

``--help`` lists the options.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from bench.side_by_side import load, machine, options, results, rounds, scenarios
from bench.side_by_side.web import endpoints, frameworks, table

BASES = ("floor", "starlette", "uvicorn", "atlas-bare")
PACKAGES = ("atlas-web", "uvicorn", "uvloop", "httptools", "starlette", "fastapi", "falcon", "blacksheep", "litestar")
SECONDS, ROUNDS = 1, 3  # six minutes for everything
OVERHEAD = 0.85  # seconds of a round in which nothing is measured: start, warm up, stop
FILE = "web.json"


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.side_by_side.web", description="Web applications in Atlas and in its peers, under load."
    )
    options.add(
        parser,
        scenarios=[endpoint.name for endpoint in endpoints.ENDPOINTS],
        servers=[server.name for server in frameworks.FRAMEWORKS],
    )
    parser.add_argument("--seconds", type=int, default=SECONDS, help=f"length of a round (default: {SECONDS})")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"rounds of each (default: {ROUNDS})")
    chosen = parser.parse_args(arguments)
    try:
        chosen.endpoints = scenarios.select_from(endpoints.ENDPOINTS, chosen.only)
        chosen.peers = frameworks.select(chosen.servers)
    except ValueError as error:
        parser.error(str(error))
    return chosen


def compare(chosen: argparse.Namespace) -> int:
    """All endpoints; tables as they are ready, then the file."""
    if advice := load.missing():
        print(advice, file=sys.stderr)
        return 2
    here, plan = options.present(chosen.peers), options.plan_of(chosen)
    starts = plan.rounds * sum(len(rounds.variants(endpoint, here)) for endpoint in chosen.endpoints)
    print(f"{starts} rounds, about {starts * (plan.seconds + OVERHEAD) / 60:.0f} minutes\n", flush=True)
    outcomes: list[rounds.Outcome] = []
    try:
        with tempfile.TemporaryDirectory(prefix="web-") as directory:
            for endpoint in chosen.endpoints:
                outcomes.append(rounds.measure(endpoint, here, plan, Path(directory), options.progress))
                options.progress("")
                print(table.render(outcomes[-1], plan) + "\n", flush=True)
    finally:
        if outcomes:
            save(chosen.out / FILE, outcomes, plan)
    return 0


def save(file: Path, outcomes: Sequence[rounds.Outcome], plan: rounds.Plan) -> None:
    """Write everything that was measured, also of an interrupted run."""
    goals = [
        {"scenario": outcome.scenario.name, **asdict(verdict)}
        for outcome in outcomes
        for verdict in table.verdicts(outcome)
    ]
    document = results.document(outcomes, plan, BASES, machine.about(PACKAGES), goals=goals)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(document, indent=2) + "\n")
    print(f"figures: {file}")


def main() -> int:
    chosen = parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that servers are stopped as on Ctrl-C
    try:
        return compare(chosen)
    except KeyboardInterrupt:
        print("\ninterrupted; all servers are stopped", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
