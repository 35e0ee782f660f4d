"""``python -m bench.side_by_side``: load Atlas and its peers in one run, and print the figures.

``--help`` lists the options.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.side_by_side import load, machine, memory, options, plot, results, rounds, scenarios, servers, table


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line. Every list may be given with commas."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.side_by_side", description="Atlas beside its peers, under the same load."
    )
    options.add(
        parser,
        scenarios=[scenario.name for scenario in scenarios.SCENARIOS],
        servers=[server.name for server in servers.SERVERS],
    )
    parser.add_argument(
        "--add",
        action="append",
        default=[],
        metavar="NAME=COMMAND",
        help="one more server; {app} and {port} are filled in",
    )
    parser.add_argument(
        "--base", default="uvicorn", metavar="NAME", help="the server that ratios refer to (default: uvicorn)"
    )
    parser.add_argument("--seconds", type=int, help="length of a round (default: 3)")
    parser.add_argument("--rounds", type=int, help="rounds per server and scenario (default: 5)")
    parser.add_argument("--quick", action="store_true", help="3 rounds of 1 second")
    parser.add_argument("--memory", action="store_true", help="measure idle connections instead")
    parser.add_argument("--connections", type=int, default=4000, help="how many idle connections (default: 4000)")
    chosen = parser.parse_args(arguments)
    usual_seconds, usual_rounds = (1, 3) if chosen.quick else (3, 5)
    chosen.seconds = chosen.seconds or usual_seconds
    chosen.rounds = chosen.rounds or usual_rounds
    try:
        chosen.scenarios = scenarios.select(chosen.only)
        chosen.peers = servers.select(chosen.servers, [servers.added(definition) for definition in chosen.add])
    except ValueError as error:
        parser.error(str(error))
    return chosen


def compare(chosen: argparse.Namespace) -> int:
    """All scenarios; tables as they are ready, then the files."""
    if advice := load.missing():
        print(advice, file=sys.stderr)
        return 2
    here, plan = options.present(chosen.peers), options.plan_of(chosen)
    starts = plan.rounds * sum(len(rounds.variants(scenario, here)) for scenario in chosen.scenarios)
    print(f"{starts} rounds, about {starts * (plan.seconds + 1.3) / 60:.0f} minutes\n", flush=True)
    outcomes: list[rounds.Outcome] = []
    try:
        with tempfile.TemporaryDirectory(prefix="side_by_side-") as directory:
            for scenario in chosen.scenarios:
                outcomes.append(rounds.measure(scenario, here, plan, Path(directory), options.progress))
                options.progress("")
                print(table.render(outcomes[-1], plan, chosen.base) + "\n", flush=True)
    finally:
        if outcomes:
            save(chosen.out, outcomes, plan, chosen.base)
    return 0


def save(out: Path, outcomes: Sequence[rounds.Outcome], plan: rounds.Plan, base: str) -> None:
    """Write plot and JSON, also of an interrupted run."""
    out.mkdir(parents=True, exist_ok=True)
    about = machine.about()
    subtitle = (
        f"one worker on one core, medians of {plan.rounds} rounds of {plan.seconds} s; "
        f"Python {about['python']}, {about['processor']}"
    )
    document = results.document(outcomes, plan, [base], about)
    (out / "side_by_side.json").write_text(json.dumps(document, indent=2) + "\n")
    (out / "side_by_side.svg").write_text(plot.render(outcomes, base, subtitle))
    print(f"plot and figures: {out / 'side_by_side.svg'} and .json")


def main() -> int:
    chosen = parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that servers are stopped as on Ctrl-C
    try:
        if chosen.memory:
            here, plan = options.present(chosen.peers), options.plan_of(chosen)
            return memory.compare(here, chosen.connections, plan, chosen.base)
        return compare(chosen)
    except KeyboardInterrupt:
        print("\ninterrupted; all servers are stopped", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
