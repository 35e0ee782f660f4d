"""Bring what was measured into ``docs/performance.md``: ``python -m bench.page``. No figure there is copied by hand.

The page has marked places, ``<!-- figures: NAME -->`` to ``<!-- end -->``; what stands between is replaced by a table
made of the results in ``bench/results`` (or ``--results``). A place whose measurement was not run keeps what it has.
The pictures go to ``docs/images``.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from bench import in_process, instructions
from bench.side_by_side.options import RESULTS
from bench.side_by_side.table import BUSY, multiple
from bench.side_by_side.web.__main__ import FILE as WEB
from bench.side_by_side.web.endpoints import ENDPOINTS
from bench.side_by_side.web.frameworks import TITLES

DOCS = Path(__file__).parents[1] / "docs"
PLACE = re.compile(r"(<!-- figures: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)

Document = Mapping[str, Any]
Figures = Mapping[str, Any]


def fill(page: str, tables: Mapping[str, str]) -> str:
    """The page with its places filled. Raises ValueError for a table that has no place."""
    places = {match[2] for match in PLACE.finditer(page)}
    if homeless := sorted(set(tables) - places):
        raise ValueError(f"the page has no place for {', '.join(homeless)}")
    return PLACE.sub(
        lambda match: f"{match[1]}\n{tables[match[2]]}\n\n{match[3]}" if match[2] in tables else match[0], page
    )


def grid(head: Sequence[str], rows: Sequence[Sequence[str]], words: int = 1) -> str:
    """A table in Markdown, the first columns of words and the others of figures."""
    rule = ["---" if column < words else "--:" for column in range(len(head))]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, rule, *rows))


# ---------------------------------------------------------------------------------------------- web applications


def lines(document: Document) -> dict[str, dict[str, Figures]]:
    """The measured entries of each line of the table, by scenario, in the order of the frameworks."""
    found: dict[str, dict[str, Figures]] = {name: {} for name in TITLES}
    for result in document["results"]:
        for entry in result["entries"]:
            if "cpu_microseconds" in entry:
                found.setdefault(entry["server"], {})[result["scenario"]] = entry
    return {name: entries for name, entries in found.items() if entries}


def endpoint_table(document: Document, cell: Callable[[Figures], str]) -> str:
    """A line for each framework, a column for each endpoint."""
    scenarios = [result["scenario"] for result in document["results"]]
    rows = [
        [_title(name), *(cell(entries[scenario]) if scenario in entries else "" for scenario in scenarios)]
        for name, entries in lines(document).items()
    ]
    return grid(["", *(f"`{scenario}`" for scenario in scenarios)], rows)


def _title(name: str) -> str:
    title = TITLES.get(name, name)
    return f"**{title}**" if name == "atlas" else title


def cpu_cell(entry: Figures) -> str:
    """CPU time, and how many times the floor's."""
    ratio = multiple(entry["ratios"]["floor"]["cpu"])
    return f"{digits(entry['cpu_microseconds'])}" + (f" ({ratio})" if ratio and entry["server"] != "floor" else "")


def rate_cell(entry: Figures) -> str:
    """Requests per second, and how many times those of Starlette; a star if something else was the limit."""
    ratio = multiple(entry["ratios"]["starlette"]["requests_per_second"])
    star = "\\*" if entry["busy"] < BUSY else ""
    return f"{entry['requests_per_second']:,.0f}{star}" + (f" ({ratio})" if ratio else "")


def digits(value: float) -> str:
    """About three digits."""
    return f"{value:.1f}" if value < 99.95 else f"{value:,.0f}"


def goal_table(document: Document) -> str:
    """The goals, what was measured, and whether that is enough."""
    rows = []
    for goal in document["goals"]:
        aim = goal["aim"]
        limit, what = (aim["cpu"], "CPU time") if aim["cpu"] is not None else (aim["requests"], "requests/s")
        bound = "at most" if aim["cpu"] is not None else "at least"
        asked = f"{bound} {limit:g}x the {what} of {TITLES.get(aim['than'], aim['than'])}"
        who = TITLES.get(aim["who"], aim["who"])
        rows.append(
            [f"`{goal['scenario']}`", who, asked, multiple(goal["ratio"]), "yes" if goal["reached"] else "**no**"]
        )
    return grid(["endpoint", "who", "goal", "measured", "reached"], rows, words=3)


def latency_table(document: Document) -> str:
    """Percentiles of the latency of the small text, in milliseconds."""
    rows = []
    for name, entries in lines(document).items():
        if kept := entries.get("text", {}).get("latency"):
            figures = [*kept["percentiles"].values(), kept["most"]]
            rows.append([_title(name), *(f"{microseconds / 1e3:.2f}" for microseconds in figures)])
    return grid(["milliseconds", "50 %", "90 %", "99 %", "99.9 %", "longest"], rows)


def run_of(document: Document) -> str:
    """When, where, with which versions, and how far the rounds were apart."""
    machine, plan = document["machine"], document["plan"]
    spreads = [entry["cpu_spread"] for entries in lines(document).values() for entry in entries.values()]
    others = [
        one["others"] for entries in lines(document).values() for entry in entries.values() for one in entry["rounds"]
    ]
    versions = ", ".join(f"{name} {machine[name]}" for name in machine if name not in ABOUT)
    return (
        f"One run of {plan['rounds']} rounds of {plan['seconds']} s on {document['at'][:10]}: {machine['processor']}, "
        f"{machine['cores']} cores, kernel {machine['kernel']}, Python {machine['python']}, {versions}. CPU time per "
        f"request varied over the rounds by {_percent(median(spreads))} (median of all lines), at most by "
        f"{_percent(max(spreads))}; other processes took up to {_percent(max(others))} of a core."
    )


ABOUT = frozenset({"python", "kernel", "processor", "cores"})


def _percent(share: float) -> str:
    return f"{share * 100:.0f} %" if share >= 0.0995 else f"{share * 100:.1f} %"


def web_tables(document: Document) -> dict[str, str]:
    """Everything that the page tells of web applications."""
    tables = {
        "web-run": run_of(document),
        "web-cpu": endpoint_table(document, cpu_cell),
        "web-rate": endpoint_table(document, rate_cell),
    }
    if document["goals"]:
        tables["web-goals"] = goal_table(document)
    if any(entries.get("text", {}).get("latency") for entries in lines(document).values()):
        tables["web-latency"] = latency_table(document)
    return tables


# --------------------------------------------------------------------------------------------- without a socket


def in_process_table(document: Document) -> str:
    """Microseconds of one request, without a socket."""
    figures: Mapping[str, float] = document["microseconds"]
    rows = []
    for name, value in sorted(figures.items(), key=lambda pair: pair[1]):
        title = "a bare ASGI function" if name == "bare" else _title(name)
        rows.append([title, f"{value:.2f}", f"{value - figures['bare']:.2f}"])
    return grid(["", "us", "less the bare function"], rows)


def instruction_table(stored: Mapping[str, Mapping[str, int]]) -> str:
    """The guarded counts of every Python and processor that has some."""
    names = [case.name for case in instructions.CASES]
    rows = [
        [f"`{name}`", *(f"{counts[name]:,}" if name in counts else "" for counts in stored.values())]
        for name in names
        if any(name in counts for counts in stored.values())
    ]
    return grid(["instructions per request", *stored], rows)


# ----------------------------------------------------------------------------------------------------- the page


def pictures(document: Document) -> dict[str, str]:
    """The SVG files by name."""
    from bench import plots  # matplotlib takes a second to import, and the tables do not need it

    drawn = {"web_cpu.svg": plots.cpu(document), "web_latency.svg": plots.latency(document)}
    return {name: text for name, text in drawn.items() if text}


def left_out(document: Document) -> list[str]:
    """What a complete run has and this one has not: endpoints, and the lines that everything is compared with."""
    asked = {result["scenario"] for result in document["results"]}
    found = lines(document)
    return [
        *(endpoint.name for endpoint in ENDPOINTS if endpoint.name not in asked),
        *(name for name in ("atlas", "starlette", "floor") if set(found.get(name, ())) != asked),
    ]


def publish(results: Path, docs: Path, *, partial: bool = False) -> list[str]:
    """Write the page and the pictures; a line for each measurement that was not there, or not there as a whole."""
    tables = {"instructions": instruction_table(instructions.read_store())}
    complaints = []
    if not (file := results / WEB).exists():
        complaints.append(f"{file} is not there: run python -m bench.side_by_side.web")
    elif (missing := left_out(document := json.loads(file.read_text()))) and not partial:
        complaints.append(f"{file} is without {', '.join(missing)}: the page keeps what it has (or --partial)")
    else:
        tables |= web_tables(document)
        (docs / "images").mkdir(exist_ok=True)
        for name, text in pictures(document).items():
            (docs / "images" / name).write_text(text)
    if (file := results / in_process.FILE).exists():
        tables["in-process"] = in_process_table(json.loads(file.read_text()))
    else:
        complaints.append(f"{file} is not there: run python -m bench.in_process --out {results}")
    page = docs / "performance.md"
    page.write_text(fill(page.read_text(), tables))
    return complaints


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.page", description=__doc__.partition("\n")[0])
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the results (default: bench/results)")
    parser.add_argument("--docs", type=Path, default=DOCS, help="folder of the page (default: docs)")
    parser.add_argument("--partial", action="store_true", help="take a run of some endpoints or servers too")
    options = parser.parse_args()
    try:
        complaints = publish(options.results, options.docs, partial=options.partial)
    except ModuleNotFoundError as error:
        print(f"{error.name} is not installed: pip install 'atlas-web[bench]'", file=sys.stderr)
        return 2
    print(*complaints, f"written: {options.docs / 'performance.md'}", sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
