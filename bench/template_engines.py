"""Templates beside Jinja2, minijinja and Python by hand: ``python -m bench.template_engines``.

Each page is rendered by all engines in turn, several times over, and the shortest time of each is shown: what else runs
on the machine only makes it longer.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass, field
from html import escape
from time import perf_counter
from typing import Any

import jinja2

from atlas.templates import Environment

Render = Callable[[], object]

LAYOUT = """<!DOCTYPE html>
<html><head><title>{% block title %}Site{% endblock %}</title></head>
<body><nav><a href="/">Home</a> <a href="/about">About</a></nav>
{% block content %}{% endblock %}
<footer>A footer</footer></body></html>
"""
TABLE = """{% extends "layout.html" %}
{% block title %}{{ title }}{% endblock %}
{% block content %}<h1>{{ title }}</h1>
<table>
{% for row in rows %}<tr><td>{{ row.id }}</td><td>{{ row.name }}</td><td>{{ row.email }}</td>
<td>{{ row.role }}</td></tr>
{% endfor %}</table>
{% endblock %}
"""
INCLUDES = "{% for row in rows %}{% include 'row.html' %}{% endfor %}{% include 'footer.html' %}"
MACROS = (
    "{% from 'forms.html' import field, label %}<form>"
    "{% for row in rows %}{{ label(row.name) }}{{ field(row.name, row.email, size=20) }}{% endfor %}</form>"
)
TEXT = "".join(
    f"<p>Paragraph {number} of a page that is mostly text.</p>\n" * 5 + "{{ title }}" for number in range(20)
)
TRANS = (
    "{% for row in rows %}<li>{% trans name=row.name, role=row.role %}Hello {{ name }}, you are {{ role }}."
    "{% endtrans %} {% trans %}Welcome.{% endtrans %}</li>{% endfor %}"
)
MIXED = (
    "{% for row in rows %}{% if loop.first %}<b>{% endif %}{{ loop.index }}. {{ row.name|upper }} "
    "{{ row.email|default('none') }} {{ 'odd' if row.id % 2 else 'even' }}"
    "{% if not loop.last %},{% endif %}{% endfor %}"
)
OTHERS = {
    "layout.html": LAYOUT,
    "row.html": "<tr><td>{{ row.id }}</td><td>{{ row.name }}</td></tr>\n",
    "footer.html": "<footer>{{ title }}</footer>",
    "forms.html": (
        '{% macro field(name, value=\'\', size=10) %}<input name="{{ name }}" value="{{ value }}" size={{ size }}>'
        "{% endmacro %}{% macro label(text) %}<label>{{ text }}</label>{% endmacro %}"
    ),
}


class Row:
    def __init__(self, values: dict[str, Any]) -> None:
        self.__dict__.update(values)


def rows(count: int) -> list[dict[str, Any]]:
    return [
        {"id": number, "name": f"User {number}", "email": f"user{number}@example.com", "role": "reader & writer"}
        for number in range(count)
    ]


@dataclass
class Case:
    """A page to render.

    :ivar goal: how many times faster than Jinja2 it has to be.
    """

    name: str
    source: str
    goal: float
    values: dict[str, Any] = field(default_factory=dict)


def cases() -> list[Case]:
    twenty = {"title": "Users & roles", "rows": rows(20)}
    objects = {**twenty, "rows": [Row(each) for each in twenty["rows"]]}
    return [
        Case("20 rows, dicts", TABLE, 4, twenty),
        Case("20 rows, objects", TABLE, 4, objects),
        Case("1,000 rows", TABLE, 2.5, {**twenty, "rows": rows(1000)}),
        Case("includes", INCLUDES, 2.5, twenty),
        Case("macros", MACROS, 2.5, twenty),
        Case("mostly text", TEXT, 2.5, twenty),
        Case("trans", TRANS, 2.5, twenty),
        Case("loop, filters", MIXED, 2.5, twenty),
    ]


def environment(kind: type[jinja2.Environment], source: str) -> jinja2.Environment:
    loader = jinja2.DictLoader({**OTHERS, "page.html": source})
    made = kind(loader=loader, autoescape=True, auto_reload=False, extensions=["jinja2.ext.i18n"])
    made.install_null_translations(newstyle=True)  # type: ignore[attr-defined]
    return made


def engines(case: Case) -> dict[str, Render]:
    found: dict[str, Render] = {}
    for name, kind in (("Jinja2", jinja2.Environment), ("Atlas", Environment)):
        template = environment(kind, case.source).get_template("page.html")
        found[name] = lambda template=template: template.render(case.values)  # type: ignore[misc]
    if "trans" not in case.source:
        import minijinja

        other = minijinja.Environment(templates={**OTHERS, "page.html": case.source})
        found["minijinja"] = lambda: other.render_template("page.html", **case.values)
    if case.source is TABLE and isinstance(case.values["rows"][0], dict):
        found["by hand"] = lambda: by_hand(case.values)
    return found


def by_hand(values: dict[str, Any]) -> str:
    title = escape(values["title"])
    cells = [
        f"<tr><td>{row['id']}</td><td>{escape(row['name'])}</td><td>{escape(row['email'])}</td>"
        f"\n<td>{escape(row['role'])}</td></tr>\n"
        for row in values["rows"]
    ]
    head, _, rest = LAYOUT.partition("{% block title %}Site{% endblock %}")
    before, _, after = rest.partition("{% block content %}{% endblock %}")
    return f"{head}{title}{before}<h1>{title}</h1>\n<table>\n{''.join(cells)}</table>\n{after}"


def shortest(calls: dict[str, Render], seconds: float) -> dict[str, float]:
    """The shortest time of each call in microseconds; the calls take turns."""
    best = dict.fromkeys(calls, float("inf"))
    end = perf_counter() + seconds
    gc.disable()
    try:
        while perf_counter() < end:
            for name, call in calls.items():
                start = perf_counter()
                for _ in range(5):
                    call()
                best[name] = min(best[name], (perf_counter() - start) / 5 * 1e6)
    finally:
        gc.enable()
    return best


def compile_times(seconds: float) -> dict[str, float]:
    """The time of the first load of the table page and its layout, and of the others, without a cache."""

    def load(kind: type[jinja2.Environment]) -> None:
        made = environment(kind, TABLE)
        for name in ("page.html", *OTHERS):
            made.get_template(name)

    return shortest({"Jinja2": lambda: load(jinja2.Environment), "Atlas": lambda: load(Environment)}, seconds)


def memory(kind: type[jinja2.Environment]) -> float:
    """The bytes that a cached template takes, over all cases."""
    sources = {**OTHERS, **{case.name: case.source for case in cases()}}
    made = environment(kind, TABLE)
    made.loader = jinja2.DictLoader(sources)
    made.get_template("layout.html")
    gc.collect()
    tracemalloc.start()
    for name in sources:
        made.get_template(name)
    gc.collect()
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return taken / (len(sources) - 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0, help="for each page; default 2")
    parser.add_argument("--json", action="store_true", help="print the times as JSON")
    options = parser.parse_args()
    results = {case.name: shortest(engines(case), options.seconds) for case in cases()}
    results["first compile"] = compile_times(options.seconds)
    if options.json:
        json.dump(results, sys.stdout, indent=2)
        return
    print("| page | Jinja2 (us) | Atlas (us) | ratio | minijinja (us) | by hand (us) |\n|---|--:|--:|--:|--:|--:|")
    for name, times in results.items():
        others = [f"{times[each]:.1f}" if each in times else "" for each in ("minijinja", "by hand")]
        ratio = times["Jinja2"] / times["Atlas"]
        print(f"| {name} | {times['Jinja2']:.1f} | {times['Atlas']:.1f} | {ratio:.1f} | {' | '.join(others)} |")
    taken = {kind.__module__: memory(kind) for kind in (jinja2.Environment, Environment)}
    print("memory of a template:", ", ".join(f"{name} {size / 1024:.1f} KiB" for name, size in taken.items()))


if __name__ == "__main__":
    main()
