"""The pictures of ``docs/performance.md``, as SVG that can be read on light and on dark pages. Needs matplotlib.

Each function takes the results of ``python -m bench.side_by_side.web`` as they were saved.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

Document = Mapping[str, Any]
Figures = Mapping[str, Any]

# Written as these colours, and then replaced by variables that follow the reader's choice of light or dark.
INK, FAINT, RULE, PAPER = "#1f2d33", "#6c7a80", "#e3e0d6", "#fbfaf6"
DARK = {INK: "#e8ecea", FAINT: "#98a5aa", RULE: "#333d42", PAPER: "#161b1e"}
NAMES = {INK: "ink", FAINT: "faint", RULE: "rule", PAPER: "paper"}

OWN, OTHER, ON_ATLAS = "#12948d", "#c28a4a", "#8d84ad"  # Atlas, the others, others on Atlas's server

SHORT = {
    "atlas": "Atlas",
    "atlas-async": "Atlas, async def",
    "atlas-asgi": "Atlas, --interface asgi",
    "atlas-bare": "Atlas, none of the five",
    "blacksheep": "BlackSheep",
    "falcon": "Falcon",
    "starlette": "Starlette",
    "starlette-pure": "Starlette, pure ASGI",
    "starlette-on-atlas": "Starlette on Atlas",
    "litestar": "Litestar",
    "fastapi": "FastAPI",
    "uvicorn": "uvicorn alone",
}
PANELS = {
    "text": "a small text",
    "user": "a path parameter to JSON, among 100 routes",
    "page": "a template of 20 rows",
    "order": "a JSON POST, typed, JSON back",
    "pipelined": "a small text, 16 pipelined",
    "five": "a small text inside five middlewares",
}
IN_THE_HISTOGRAM = ("atlas", "blacksheep", "starlette", "fastapi")

STYLE = {
    "font.family": ["DejaVu Sans", "sans-serif"],
    "font.size": 9,
    "svg.fonttype": "none",
    "svg.hashsalt": "atlas",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.edgecolor": RULE,
    "axes.labelcolor": FAINT,
    "axes.axisbelow": True,
    "text.color": INK,
    "xtick.color": FAINT,
    "ytick.color": INK,
    "ytick.major.size": 0,
    "grid.color": RULE,
    "figure.facecolor": PAPER,
    "axes.facecolor": PAPER,
}


def cpu(document: Document) -> str:
    """CPU time per request, a panel per endpoint, beside the floor."""
    results = [result for result in document["results"] if result["scenario"] in PANELS]
    columns = min(2, len(results))
    rows = math.ceil(len(results) / columns)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(10, 0.9 + 2.75 * rows), layout="constrained")
        title = "CPU time per request in microseconds, on a logarithmic scale: less is better"
        figure.suptitle(title, x=0.01, ha="left", weight="bold")
        axes = figure.subplots(rows, columns, squeeze=False)
        for place, result in zip(axes.flat, results, strict=False):
            _cpu_panel(place, result)
        for place in list(axes.flat)[len(results) :]:
            place.set_visible(False)
        return _svg(figure)


def measured(result: Figures) -> dict[str, Figures]:
    """The entries of a scenario that have figures, by server."""
    return {entry["server"]: entry for entry in result["entries"] if "cpu_microseconds" in entry}


def _cpu_panel(place: Axes, result: Figures) -> None:
    entries = measured(result)
    floor = entries.pop("floor", None)
    figures = sorted(((entry["cpu_microseconds"], server) for server, entry in entries.items()), reverse=True)
    left = floor["cpu_microseconds"] if floor else min(value for value, _ in figures)
    place.set_title(PANELS[result["scenario"]], loc="left", fontsize=9, weight="bold", pad=16)
    place.set_xscale("log")
    place.set_xlim(left * 0.8, max(value for value, _ in figures) * 1.9)
    place.set_yticks(range(len(figures)), [SHORT.get(server, server) for _, server in figures])
    place.grid(axis="x", which="major")
    place.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    place.xaxis.set_minor_formatter(lambda value, _: "")
    for row, (value, server) in enumerate(figures):
        place.plot([left, value], [row, row], color=_side(server), linewidth=2, alpha=0.45, solid_capstyle="butt")
        place.plot([value], [row], "o", color=_side(server), markersize=6)
        weight = "bold" if server == "atlas" else "normal"
        place.annotate(
            digits(value), (value, row), (7, 0), textcoords="offset points", va="center", fontsize=8, weight=weight
        )
    if floor:
        place.axvline(left, color=FAINT, linewidth=1, linestyle=(0, (4, 3)))
        place.annotate(
            f"the floor: {digits(left)}", (left, 1), (3, 0), xycoords=("data", "axes fraction"),
            textcoords="offset points", fontsize=8, color=FAINT, va="bottom", annotation_clip=False,
        )  # fmt: skip


def _side(server: str) -> str:
    if server.startswith("atlas"):
        return OWN
    return ON_ATLAS if server.endswith("-on-atlas") else OTHER


def digits(value: float) -> str:
    """About three digits."""
    return f"{value:.1f}" if value < 99.95 else f"{value:,.0f}"


def latency(document: Document) -> str | None:
    """How long each single request of the small text took; None if that was not measured."""
    results = [result for result in document["results"] if result["scenario"] == "text"]
    entries = measured(results[0]) if results else {}
    shown = [server for server in IN_THE_HISTOGRAM if entries.get(server, {}).get("latency")]
    if not shown:
        return None
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(10, 0.9 + 0.95 * len(shown)), layout="constrained")
        title = f"Latency of a small text: {results[0]['connections']} connections that ask as fast as they can"
        figure.suptitle(title, x=0.01, ha="left", weight="bold")
        rows = figure.subplots(len(shown), 1, sharex=True, squeeze=False)[:, 0]
        for place, server in zip(rows, shown, strict=True):
            _distribution(place, server, entries[server]["latency"])
        return _svg(figure)


def _distribution(place: Axes, server: str, kept: Figures) -> None:
    shade = _side(server)
    bins: Sequence[Sequence[float]] = kept["histogram"]
    edges = [lower / 1e3 for lower, _ in bins]
    shares = [share for _, share in bins]
    place.fill_between(edges, shares, step="post", color=shade, alpha=0.3, linewidth=0)
    place.step(edges, shares, where="post", color=shade, linewidth=1.4)
    place.set_xscale("log")
    place.xaxis.set_major_formatter(lambda value, _: f"{value:g} ms")
    place.xaxis.set_minor_formatter(lambda value, _: "")
    place.set_ylim(0, max(shares) * 1.25)
    place.set_yticks([max(shares) * 0.5], [SHORT[server]], weight="bold" if server == "atlas" else "normal")
    place.grid(axis="x", which="major")
    for share, name, side, gap in (("50", "half", "right", -3), ("99", "99 %", "left", 3)):
        value = kept["percentiles"][share] / 1e3
        place.axvline(value, color=FAINT, linewidth=1, linestyle=(0, (4, 3)))
        place.annotate(
            f"{name} within {value:.2g} ms", (value, 1), (gap, -2), xycoords=("data", "axes fraction"),
            textcoords="offset points", fontsize=8, color=FAINT, va="top", ha=side,
        )  # fmt: skip


def _svg(figure: Figure) -> str:
    """The file: no date, so that the same figures make the same file; colours that follow the reader's choice."""
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    text = file.getvalue()
    for colour, name in NAMES.items():
        text = text.replace(colour, f"var(--{name})")
    light = " ".join(f"--{name}: {colour};" for colour, name in NAMES.items())
    dark = " ".join(f"--{NAMES[colour]}: {value};" for colour, value in DARK.items())
    rules = f"<style>svg {{ {light} }} @media (prefers-color-scheme: dark) {{ svg {{ {dark} }} }}</style>"
    start = text.index(">", text.index("<svg")) + 1
    return text[:start] + "\n " + rules + text[start:]
