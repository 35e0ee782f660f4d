"""The result for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from bench.side_by_side.rounds import NOISY, Entry, Outcome, Plan
from bench.side_by_side.scenarios import Goal

BAR_WIDTH = 24
EIGHTHS = " ▏▎▍▌▋▊▉"
BUSY = 0.93  # share of its core: below it the server waited for wrk


def bar(share: float, width: int = BAR_WIDTH) -> str:
    """A horizontal bar of this share of the width, in eighths of a character."""
    eighths = round(max(0.0, min(share, 1.0)) * width * 8)
    full, rest = divmod(eighths, 8)
    return "█" * full + (EIGHTHS[rest] if rest else "")


def multiple(value: float | None) -> str:
    """A ratio with three digits, or nothing where there is none."""
    if value is None:
        return ""
    return f"{value:.1f}x" if value >= 9.95 else f"{value:.2f}x"


def milliseconds(seconds: float | None) -> str:
    """A latency, or a dash where it is not known."""
    return "-" if seconds is None else f"{seconds * 1e3:,.2f}"


def render(outcome: Outcome, plan: Plan, base_label: str) -> str:
    """The table of a scenario, its goals, and a line for everything that spoils a figure."""
    scenario = outcome.scenario
    measured = [entry for entry in outcome.entries if entry.rounds]
    load = f"{scenario.connections} connections, {plan.rounds} x {plan.seconds} s"
    lines = [f"{scenario.name}: {scenario.title} ({load})"]
    if measured:
        lines += _rows(outcome, measured, base_label)
    return "\n".join([*lines, *remarks(outcome), *_verdicts(outcome, base_label)])


def remarks(outcome: Outcome) -> list[str]:
    """A line for everything that spoils a figure."""
    measured = [entry for entry in outcome.entries if entry.rounds]
    lines = [f"  {entry.label}: left out, {entry.skipped}" for entry in outcome.entries if entry.skipped]
    lines += [f"  {entry.label}: {entry.errors} errors" for entry in measured if entry.errors]
    if any(entry.busy < BUSY for entry in measured):
        lines.append("  * not busy all the time, something else was the limit: compare CPU us/req, not requests/s")
    if (others := max((entry.others for entry in measured), default=0)) > NOISY:
        lines.append(f"  ! other processes used up to {others:.0%} of a core meanwhile: repeat it on a quiet machine")
    return lines


def _rows(outcome: Outcome, measured: list[Entry], base_label: str) -> list[str]:
    most = max(entry.requests_per_second for entry in measured)
    width = max(len(entry.label) for entry in measured)
    rows = [f"  {'':{width}}  requests/s  spread         CPU us/req           p50 ms    p99 ms          core"]
    for entry in measured:
        rate, cpu = entry.requests_per_second, entry.cpu * 1e6
        ratios = outcome.ratios(entry, base_label)
        star = "*" if entry.busy < BUSY else " "
        rows.append(
            f"  {entry.label:{width}}  {rate:>10,.0f}  {f'±{entry.spread:.1%}':>6}"
            f" {multiple(ratios.requests_per_second):>6}  {cpu:>10,.1f} {multiple(ratios.cpu):>6}"
            f"  {milliseconds(entry.p50):>8}  {milliseconds(entry.p99):>8} {multiple(ratios.p99):>6}"
            f"  {entry.busy:>5.0%}{star}  {bar(rate / most)}"
        )
    return rows


def _verdicts(outcome: Outcome, base_label: str) -> list[str]:
    atlas, goal = outcome.entry("atlas"), outcome.scenario.goal
    lines = list(_goals(outcome, atlas, goal, base_label)) if atlas and goal else []
    for entry in outcome.entries:
        plain = outcome.entry(entry.label.removesuffix(" + log"))
        if entry.rounds and plain and plain is not entry:
            kept = outcome.ratios(entry, plain.label).requests_per_second or 0
            lines.append(f"  {plain.label} keeps {kept:.0%} of its speed with the access log on")
    return lines


def _goals(outcome: Outcome, atlas: Entry, goal: Goal, base_label: str) -> Iterator[str]:
    if rate := outcome.ratios(atlas, base_label).requests_per_second:
        yield f"  goal: {goal.requests}x {base_label}'s requests/s: {rate:.2f}x, {_met(rate >= goal.requests)}"
    for name, most in ((base_label, goal.cpu), *goal.cpu_of):
        if most and (share := outcome.ratios(atlas, name).cpu):
            yield f"  goal: {most}x {name}'s CPU time: {share:.2f}x, {_met(share <= most)}"
    if goal.tail and (tail := atlas.tail):
        yield f"  goal: p99 within {goal.tail}x of p50: {tail:.2f}x, {_met(tail <= goal.tail)}"


def _met(reached: bool) -> str:
    return "reached" if reached else "not reached"
