"""The result for a terminal."""

from __future__ import annotations

from bench.side_by_side.rounds import NOISY, Entry, Outcome, Plan

BAR_WIDTH = 24
EIGHTHS = " ▏▎▍▌▋▊▉"
BUSY = 0.93  # below this share of its core a server was waiting for wrk


def bar(share: float, width: int = BAR_WIDTH) -> str:
    """A horizontal bar of this share of the width, in eighths of a character."""
    eighths = round(max(0.0, min(share, 1.0)) * width * 8)
    full, rest = divmod(eighths, 8)
    return "█" * full + (EIGHTHS[rest] if rest else "")


def ratio(value: float | None, base: float | None) -> str:
    """``value`` as a multiple of ``base``, or nothing where there is nothing to compare with."""
    if not base or value is None:
        return ""
    multiple = value / base
    return f"{multiple:.1f}x" if multiple >= 9.95 else f"{multiple:.2f}x"


def reference(outcome: Outcome, base_label: str) -> tuple[float | None, float | None]:
    """Requests per second and CPU time that the ratios are to, where the base was measured."""
    base = outcome.entry(base_label)
    return (base.requests_per_second, base.cpu) if base else (None, None)


def render(outcome: Outcome, plan: Plan, base_label: str) -> str:
    """A scenario's table, with a line for everything that a reader has to know about it."""
    scenario = outcome.scenario
    measured = [entry for entry in outcome.entries if entry.rounds]
    load = f"{scenario.connections} connections, {plan.rounds} x {plan.seconds} s"
    lines = [f"{scenario.name}: {scenario.title} ({load})"]
    if measured:
        lines += _rows(outcome, measured, base_label)
    lines += [f"  {entry.label}: left out, {entry.skipped}" for entry in outcome.entries if entry.skipped]
    lines += [f"  {entry.label}: {entry.errors} errors" for entry in measured if entry.errors]
    if any(entry.busy < BUSY for entry in measured):
        lines.append(
            "  * not busy all the time: something else was the limit; compare its CPU time, not its requests/s"
        )
    if (others := max((entry.others for entry in measured), default=0)) > NOISY:
        lines.append(f"  ! other processes used up to {others:.0%} of a core meanwhile: repeat it on a quiet machine")
    return "\n".join(lines + _verdicts(outcome, base_label))


def _rows(outcome: Outcome, measured: list[Entry], base_label: str) -> list[str]:
    base_rate, base_cpu = reference(outcome, base_label)
    base = outcome.entry(base_label)
    most = max(entry.requests_per_second for entry in measured)
    width = max(len(entry.label) for entry in measured)
    rows = [f"  {'':{width}}  requests/s  spread         CPU us/req           p99 ms          core"]
    for entry in measured:
        rate, cpu, p99 = entry.requests_per_second, entry.cpu * 1e6, entry.p99
        latency = "-" if p99 is None else f"{p99 * 1e3:,.2f}"
        star = "*" if entry.busy < BUSY else " "
        rows.append(
            f"  {entry.label:{width}}  {rate:>10,.0f}  {f'±{entry.spread:.1%}':>6} {ratio(rate, base_rate):>6}"
            f"  {cpu:>10,.1f} {ratio(entry.cpu, base_cpu):>6}  {latency:>8} {ratio(p99, base.p99 if base else None):>6}"
            f"  {entry.busy:>5.0%}{star}  {bar(rate / most)}"
        )
    return rows


def _verdicts(outcome: Outcome, base_label: str) -> list[str]:
    lines = []
    atlas, base, goal = outcome.entry("atlas"), outcome.entry(base_label), outcome.scenario.goal
    if goal and atlas and base:
        rate = atlas.requests_per_second / base.requests_per_second
        lines.append(f"  goal: {goal.requests}x {base_label}'s requests/s: {rate:.2f}x, {_met(rate >= goal.requests)}")
        if goal.cpu:
            share = atlas.cpu / base.cpu
            lines.append(f"  goal: {goal.cpu}x {base_label}'s CPU time: {share:.2f}x, {_met(share <= goal.cpu)}")
    for entry in outcome.entries:
        plain = outcome.entry(entry.label.removesuffix(" + log"))
        if entry.rounds and plain and plain is not entry:
            kept = entry.requests_per_second / plain.requests_per_second
            lines.append(f"  {plain.label} keeps {kept:.0%} of its speed with the access log on")
    return lines


def _met(reached: bool) -> str:
    return "reached" if reached else "not reached"
