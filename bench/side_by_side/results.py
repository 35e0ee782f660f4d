"""Everything that was measured, as JSON."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from bench.side_by_side.rounds import Entry, Outcome, Plan, Round


def document(
    outcomes: Sequence[Outcome], plan: Plan, bases: Sequence[str], machine: dict[str, str], **more: Any
) -> dict[str, Any]:
    """One run: the machine, the plan, and each scenario with its entries, round by round.

    An entry's ``ratios`` are to each of the bases, by name.
    """
    results = [
        {
            "scenario": outcome.scenario.name,
            "title": outcome.scenario.title,
            "connections": outcome.scenario.connections,
            "entries": [_entry(entry, outcome, bases) for entry in outcome.entries],
        }
        for outcome in outcomes
    ]
    at = time.strftime("%Y-%m-%dT%H:%M:%S%z")
    return {"at": at, "machine": machine, "plan": asdict(plan), "bases": list(bases), "results": results, **more}


def _entry(entry: Entry, outcome: Outcome, bases: Sequence[str]) -> dict[str, Any]:
    if not entry.rounds:
        return {"server": entry.label, "skipped": entry.skipped}
    return {
        "server": entry.label,
        "requests_per_second": entry.requests_per_second,
        "spread": entry.spread,
        "cpu_microseconds": entry.cpu * 1e6,
        "cpu_spread": entry.cpu_spread,
        "p50_milliseconds": entry.p50 and entry.p50 * 1e3,
        "p99_milliseconds": entry.p99 and entry.p99 * 1e3,
        "busy": entry.busy,
        "errors": entry.errors,
        "skipped": entry.skipped,
        "ratios": {base: asdict(outcome.ratios(entry, base)) for base in bases},
        "latency": entry.latencies and entry.latencies.summary(),
        "rounds": [_round(one) for one in entry.rounds],
    }


def _round(one: Round) -> dict[str, Any]:
    figures = asdict(replace(one, latencies=None))
    del figures["latencies"]
    return figures
