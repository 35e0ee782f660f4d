"""The options that both commands share, and what follows from them: servers, cores, rounds."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.side_by_side.rounds import Plan
from bench.side_by_side.servers import Server

RESULTS = Path(__file__).parents[1] / "results"


def add(parser: argparse.ArgumentParser, *, scenarios: Sequence[str], servers: Sequence[str]) -> None:
    """Add the options. Lists are given with commas."""
    known, names = ", ".join(servers), ", ".join(scenarios)
    parser.add_argument("--only", type=listed, default=[], metavar="NAMES", help=f"scenarios: {names} (default: all)")
    parser.add_argument("--servers", type=listed, default=[], metavar="NAMES", help=f"servers: {known} (default: all)")
    parser.add_argument("--server-core", type=int, default=0, help="the core of the server (default: 0)")
    parser.add_argument("--load-core", type=int, default=1, help="the core of the load (default: 1)")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for the results (default: bench/results)")


def listed(text: str) -> list[str]:
    """Split at commas."""
    return [name.strip() for name in text.split(",") if name.strip()]


def present(servers: Sequence[Server]) -> list[Server]:
    """The servers that can be started on this machine; a line for each that cannot."""
    here = []
    for server in servers:
        if advice := server.missing():
            print(f"{server.name}: not installed, skipped ({advice})")
        else:
            here.append(server)
    return here


def plan_of(options: argparse.Namespace) -> Plan:
    """Rounds and cores; without both cores no process is pinned, and a line says so."""
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
    if not {options.server_core, options.load_core} <= cores:
        print(f"cores {options.server_core} and {options.load_core} are not both available: no process is pinned")
        return Plan(options.seconds, options.rounds, None, None)
    return Plan(options.seconds, options.rounds, options.server_core, options.load_core)


def progress(line: str) -> None:
    """The one line that is overwritten, on a terminal only."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)
