from __future__ import annotations

import traceback
from types import TracebackType

import jinja2
import pytest

from atlas._speedups.templates.statements import LINES
from atlas.templates import Environment
from atlas.templates.tracebacks import template_line

PAGE = """{% extends "layout" %}
{% macro m(x) %}
  {{ x.a.b }}
{% endmacro %}
{% block main %}
  text
  {% for row in rows
      if row %}
    {{ row }} and
    {{ row.broken }}
  {% endfor %}
  {{ m(rows) }}
{% endblock %}
"""
LAYOUT = "<html>\n{% block main %}{% endblock %}\n"


class Row:
    @property
    def broken(self) -> str:
        raise ValueError("broken")


def lines_of(kind: type[jinja2.Environment], rows: list[object]) -> list[str]:
    environment = kind(loader=jinja2.DictLoader({"page": PAGE, "layout": LAYOUT}))
    with pytest.raises((ValueError, jinja2.UndefinedError)) as raised:
        environment.get_template("page").render(rows=rows)
    entries = traceback.extract_tb(raised.value.__traceback__)
    own = ("environment.py", "runtime.py", "test_tracebacks.py")
    return [f"{each.name} {each.lineno}" for each in entries if not each.filename.endswith(own)]


@pytest.mark.parametrize("rows", [[1, Row()], [0]])
def test_a_traceback_has_the_frames_of_jinja2(rows: list[object]) -> None:
    found = lines_of(Environment, rows)
    assert found == lines_of(jinja2.Environment, rows)
    assert any(line == f"block 'main' {10 if 1 in rows else 12}" for line in found)


def test_the_engine_is_not_in_a_traceback() -> None:
    with pytest.raises(ValueError, match="broken") as raised:
        Environment().from_string("{{ row.broken }}").render(row=Row())
    names = [entry.tb_frame.f_code.co_filename for entry in _entries(raised.value)]
    assert not any("_speedups" in name for name in names)


def _entries(error: BaseException) -> list[TracebackType]:
    entries: list[TracebackType] = []
    trace = error.__traceback__
    while trace is not None:
        entries.append(trace)
        trace = trace.tb_next
    return entries


def test_local_variables_are_in_the_frame() -> None:
    with pytest.raises(ValueError, match="broken") as raised:
        Environment().from_string("{% for row in rows %}{{ row.broken }}{% endfor %}").render(rows=[Row()])
    found = [entry.tb_frame.f_locals for entry in _entries(raised.value) if "row" in entry.tb_frame.f_locals]
    assert found


def test_lines_of_templates_and_of_code() -> None:
    assert template_line(LINES + 7) == 7
    assert template_line(7) is None


def test_a_stop_iteration_has_its_line() -> None:
    class Stops:
        @property
        def value(self) -> str:
            raise StopIteration

    with pytest.raises(RuntimeError, match="generator raised StopIteration") as raised:
        Environment().from_string("text\n{{ a.value }}").render(a=Stops())
    names = [(entry.tb_frame.f_code.co_name, entry.tb_lineno) for entry in _entries(raised.value)]
    assert ("top-level template code", 2) in names
