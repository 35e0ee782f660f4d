"""The result of a regression run as one SVG file: a row per benchmark, its time as a multiple of the base's."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from bench.regression.verdict import Limit, Outcome, Verdict
from bench.side_by_side.plot import FAINT, INK, PAPER, RULE, STYLE

WIDTH, MARGIN, LABEL, FIGURE = 1100, 40, 470, 90
TOP, ROW, BOTTOM = 96, 20, 50
LEAST, MOST = 0.5, 2.0  # multiples that the axis shows at least
COLOURS = {Outcome.SLOWER: "#b3372f", Outcome.ONLY_TIME: "#c28a4a", Outcome.FASTER: "#0b7a75"}
LEFT, RIGHT = MARGIN + LABEL, WIDTH - MARGIN - FIGURE


def render(verdicts: Sequence[Verdict], limit: Limit, subtitle: str) -> str:
    """Draw the benchmarks that were compared: the median of the rounds as a dot, their range as a line."""
    shown = [each for each in verdicts if each.comparison is not None]
    ratios = [[after / before for before, after in _pairs(each)] for each in shown]
    most = max([MOST, *(max(row) for row in ratios)])
    least = min([LEAST, *(min(row) for row in ratios)])

    def place(ratio: float) -> float:
        return LEFT + (RIGHT - LEFT) * (ratio - least) / (most - least)

    height = TOP + ROW * len(shown) + BOTTOM
    size = f'width="{WIDTH}" height="{height}"'
    marks = [(1.0, "1x", RULE)]
    if limit.share is not None:
        marks.append((1 + limit.share, f"+{limit.share:.0%}", COLOURS[Outcome.SLOWER]))
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {WIDTH} {height}" role="img">',
        "<title>Benchmarks beside the base</title>",
        f"<style>{STYLE}</style>",
        f'<rect {size} fill="{PAPER}"/>',
        f'<text class="title" x="{MARGIN}" y="44">Time as a multiple of the base</text>',
        f'<text class="faint" x="{MARGIN}" y="68">{escape(subtitle)}</text>',
        *(_mark(place(at), label, colour, height) for at, label, colour in marks),
        *(
            _row(each, [place(ratio) for ratio in (min(row), each.comparison.ratio, max(row))], TOP + ROW * number)
            for number, (each, row) in enumerate(zip(shown, ratios, strict=True))
            if each.comparison is not None
        ),
        "</svg>",
        "",
    ])  # fmt: skip


def _pairs(verdict: Verdict) -> list[tuple[float, float]]:
    assert verdict.comparison is not None
    return list(zip(verdict.comparison.base, verdict.comparison.tree, strict=True))


def _mark(x: float, label: str, colour: str, height: int) -> str:
    return (
        f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 8}" y2="{height - BOTTOM + 8}" stroke="{colour}"/>'
        f'<text class="faint" x="{x:.1f}" y="{height - BOTTOM + 26}" text-anchor="middle">{label}</text>'
    )


def _row(verdict: Verdict, places: Sequence[float], y: int) -> str:
    assert verdict.comparison is not None
    low, middle, high = places
    colour = COLOURS.get(verdict.outcome, INK)
    name = verdict.name.removeprefix("bench/")
    return (
        f'<text class="name" x="{MARGIN}" y="{y + 13}">{escape(name)}</text>'
        f'<line x1="{low:.1f}" x2="{high:.1f}" y1="{y + 9}" y2="{y + 9}" stroke="{FAINT}" stroke-width="2"/>'
        f'<circle cx="{middle:.1f}" cy="{y + 9}" r="4.5" fill="{colour}"/>'
        f'<text class="figure" x="{RIGHT + 14}" y="{y + 13}">{verdict.comparison.ratio:.2f}x</text>'
    )
