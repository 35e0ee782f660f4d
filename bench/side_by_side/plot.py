"""The result as one SVG file: a panel per scenario, requests per second on the left, CPU time on the right."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from bench.side_by_side.rounds import Entry, Outcome
from bench.side_by_side.table import multiple

WIDTH = 1000
MARGIN = 40
LABEL = 120  # room for the names of the servers
COLUMN = 400  # both bar columns, each with its figures
FIGURES = 130  # room for the figures at a bar's end
ROW = 28
BAR = 16
PANEL_HEAD = 62
PANEL_FOOT = 26
TITLE = 96

PAPER, INK, FAINT, RULE = "#fbfaf6", "#1f2d33", "#6c7a80", "#e3e0d6"
COLOURS = {
    "atlas": "#0b7a75",
    "uvicorn": "#c28a4a",
    "granian": "#a3667a",
    "h2corn": "#5f8a4c",
    "gunicorn": "#6d7fb3",
    "nginx": "#7f93a8",
    "floor": "#c4cbcd",
}
OTHER = "#8d84ad"

STYLE = f"""
  text {{ font-family: ui-sans-serif, system-ui, 'Segoe UI', 'Helvetica Neue', Arial, sans-serif; fill: {INK}; }}
  .title {{ font-size: 24px; font-weight: 650; letter-spacing: -0.3px; }}
  .panel {{ font-size: 16px; font-weight: 600; }}
  .faint {{ font-size: 12px; font-weight: 400; fill: {FAINT}; }}
  .name {{ font-size: 13px; }}
  .figure {{ font-size: 12px; font-variant-numeric: tabular-nums; }}
  .own {{ font-weight: 650; }}
"""


def colour(label: str) -> str:
    """A server's colour, the same in every panel, whether it logs or not."""
    return COLOURS.get(label.removesuffix(" + log"), OTHER)


def render(outcomes: Sequence[Outcome], base_label: str, subtitle: str) -> str:
    """The whole picture. Scenarios in which nothing was measured are left out."""
    panels = []
    top = TITLE
    for outcome in outcomes:
        measured = [entry for entry in outcome.entries if entry.rounds]
        if measured:
            panels.append(_panel(outcome, measured, base_label, top))
            top += PANEL_HEAD + ROW * len(measured) + PANEL_FOOT
    height = top + MARGIN // 2
    size = f'width="{WIDTH}" height="{height}"'
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {WIDTH} {height}" role="img">',
        "<title>Atlas beside its peers</title>",
        f"<style>{STYLE}</style>",
        f'<rect {size} fill="{PAPER}"/>',
        f'<text class="title" x="{MARGIN}" y="50">Atlas beside its peers</text>',
        f'<text class="faint" x="{MARGIN}" y="72">{escape(subtitle)}</text>',
        *panels,
        "</svg>",
        "",
    ])  # fmt: skip


def _panel(outcome: Outcome, measured: list[Entry], base_label: str, top: int) -> str:
    scenario = outcome.scenario
    left, right = MARGIN + LABEL, MARGIN + LABEL + COLUMN
    about = f'<tspan class="faint" dx="10">{escape(scenario.title)}, {scenario.connections} connections</tspan>'
    parts = [
        f'<line x1="{MARGIN}" x2="{WIDTH - MARGIN}" y1="{top}" y2="{top}" stroke="{RULE}"/>',
        f'<text class="panel" x="{MARGIN}" y="{top + 28}">{escape(scenario.name)}{about}</text>',
        f'<text class="faint" x="{left}" y="{top + 50}">requests per second, more is better</text>',
        f'<text class="faint" x="{right}" y="{top + 50}">CPU time per request, less is better</text>',
    ]
    most = max(entry.requests_per_second for entry in measured)
    longest = max(entry.cpu for entry in measured)
    for number, entry in enumerate(measured):
        y = top + PANEL_HEAD + ROW * number
        own = " own" if entry.label.startswith("atlas") else ""
        rate, cpu = entry.requests_per_second, entry.cpu
        ratios = outcome.ratios(entry, base_label)
        parts += [
            f'<text class="name{own}" x="{MARGIN}" y="{y + 13}">{escape(entry.label)}</text>',
            _bar(left, y, rate / most, entry.label, f"{rate:,.0f}", multiple(ratios.requests_per_second), own),
            _bar(right, y, cpu / longest, entry.label, microseconds(cpu), multiple(ratios.cpu), own),
        ]
    return "\n".join(parts)


def microseconds(seconds: float) -> str:
    """A duration with about three digits."""
    value = seconds * 1e6
    return f"{value:,.1f} µs" if value < 100 else f"{value:,.0f} µs"


def _bar(x: int, y: int, share: float, label: str, figure: str, compared: str, own: str) -> str:
    length = max(2.0, share * (COLUMN - FIGURES - 20))
    logs = ' fill-opacity="0.55"' if label.endswith(" + log") else ""
    tail = f'<tspan class="faint" dx="7">{compared}</tspan>' if compared else ""
    return (
        f'<rect x="{x}" y="{y}" width="{length:.1f}" height="{BAR}" rx="3" fill="{colour(label)}"{logs}/>'
        f'<text class="figure{own}" x="{x + length + 8:.1f}" y="{y + 12.5}">{figure}{tail}</text>'
    )
