"""The result of an endpoint for a terminal, and whether the goals were met."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.side_by_side.rounds import Entry, Outcome, Plan
from bench.side_by_side.table import BUSY, bar, milliseconds, multiple, remarks
from bench.side_by_side.web.endpoints import Aim, Endpoint

FLOOR, STARLETTE = "floor", "starlette"
HEAD = f"{'requests/s':>10}  {'spread':>6} {'x starl.':>8}  {'CPU us':>7} {'spread':>6} {'x floor':>7} {'x starl.':>8}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A goal, what was measured, and whether that is enough."""

    aim: Aim
    ratio: float
    reached: bool

    def __str__(self) -> str:
        aim = self.aim
        word = "reached" if self.reached else "NOT reached"
        if aim.cpu is not None:
            return f"{aim.who}: {self.ratio:.2f}x the CPU time of {aim.than}, at most {aim.cpu:g}x: {word}"
        return f"{aim.who}: {self.ratio:.2f}x the requests/s of {aim.than}, at least {aim.requests:g}x: {word}"


def verdicts(outcome: Outcome) -> list[Verdict]:
    """The goals of an endpoint, those that can be judged."""
    assert isinstance(outcome.scenario, Endpoint)
    judged = [judge(outcome, aim) for aim in outcome.scenario.aims]
    return [verdict for verdict in judged if verdict is not None]


def judge(outcome: Outcome, aim: Aim) -> Verdict | None:
    """One goal; None if one of the two was not measured."""
    entry = outcome.entry(aim.who)
    ratios = outcome.ratios(entry, aim.than) if entry else None
    if ratios and aim.cpu is not None and ratios.cpu is not None:
        return Verdict(aim, ratios.cpu, ratios.cpu <= aim.cpu)
    if ratios and aim.requests is not None and ratios.requests_per_second is not None:
        return Verdict(aim, ratios.requests_per_second, ratios.requests_per_second >= aim.requests)
    return None


def render(outcome: Outcome, plan: Plan) -> str:
    """An endpoint's table, with a line for everything that a reader has to know about it."""
    scenario = outcome.scenario
    measured = [entry for entry in outcome.entries if entry.rounds]
    load = f"{scenario.connections} connections, {plan.rounds} x {plan.seconds} s"
    lines = [f"{scenario.name}: {scenario.title} ({load})"]
    if measured:
        lines += _rows(outcome, measured)
    return "\n".join([*lines, *remarks(outcome), *(f"  goal: {verdict}" for verdict in verdicts(outcome))])


def _rows(outcome: Outcome, measured: Sequence[Entry]) -> list[str]:
    width = max(len(entry.label) for entry in measured)
    longest = max(entry.cpu for entry in measured)
    rows = [f"  {'':{width}}  {HEAD}  {'p50 ms':>7}  {'p99 ms':>7}  {'core':>5}"]
    for entry in measured:
        floor, starlette = outcome.ratios(entry, FLOOR), outcome.ratios(entry, STARLETTE)
        rows.append(
            f"  {entry.label:{width}}  {entry.requests_per_second:>10,.0f}  {f'±{entry.spread:.1%}':>6}"
            f" {multiple(starlette.requests_per_second):>8}  {entry.cpu * 1e6:>7,.1f} {f'±{entry.cpu_spread:.1%}':>6}"
            f" {multiple(floor.cpu):>7} {multiple(starlette.cpu):>8}"
            f"  {milliseconds(entry.p50):>7}  {milliseconds(entry.p99):>7}"
            f"  {entry.busy:>5.0%}{'*' if entry.busy < BUSY else ' '}  {bar(entry.cpu / longest)}"
        )
    return rows
