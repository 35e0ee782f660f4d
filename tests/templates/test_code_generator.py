"""What is written as Python; random templates are in test_same_as_jinja2.py."""

from __future__ import annotations

import jinja2
import pytest

from atlas.templates import Environment

OTHERS = {
    "layout": "<{% block a required %}{% endblock %}{% block b scoped %}b{% endblock %}{{ self.b() }}>",
    "child": "{% extends 'layout' %}{% block a %}child {{ super() }}{% endblock %}",
    "part": "[{{ x }}{{ y }}]",
    "macros": "{% macro m(a, b='B') %}{{ a }}{{ b }}{{ caller() if caller }}{% endmacro %}{% set v = 5 %}",
}
SOURCES = [
    "{% extends 'layout' %}{% block a %}A{% endblock %}",
    "{% extends 'layout' %}",
    "{% extends 'child' %}{% block a %}{{ super() }}!{% endblock %}",
    "{% if x %}{% extends 'child' %}{% else %}{% extends 'layout' %}{% endif %}text{% block a %}{{ y }}{% endblock %}",
    "{% extends 'layout' %}{% extends 'layout' %}{% block a %}{% endblock %}",
    "{% for y in [1, 2] %}{% include 'part' %}{% endfor %}{% include ['absent', 'part'] %}{% include 'absent' %}",
    "{% include 'absent' ignore missing %}{% include 'part' without context %}",
    "{% import 'macros' as m %}{{ m.m(1) }}{{ m.v }}{% call m.m(2) %}c{% endcall %}",
    "{% from 'macros' import m as n, v, absent %}{{ n(1, b=2) }}{{ v }}{{ absent }}",
    "{% macro m(a, caller=none) %}{{ a }}{{ caller }}{% endmacro %}{{ m(1) }}{% call m(2) %}x{% endcall %}",
    "{% macro m(a, b=a) %}{{ a }}{{ b }}{{ kwargs }}{{ varargs }}{% endmacro %}{{ m() }}{{ m(1, 2, 3, c=4) }}",
    "{% macro m(caller, a) %}{{ caller() }}{% endmacro %}",
    "{% set x %}<b>{{ y }}</b>{% endset %}{{ x }}{% set a, b = 1, 2 %}{{ a }}{{ b }}",
    "{% filter upper %}a{{ x }}{% for i in [1] %}{{ i }}{% endfor %}{% endfilter %}",
    "{% for i in [1, [2, [3]]] recursive %}{{ loop(i) if i is iterable else i }}{{ loop.depth }}{% endfor %}",
    "{% autoescape x %}{{ '<' }}{{ y }}{% endautoescape %}{% autoescape false %}{{ y }}{% endautoescape %}",
    "{% for i in [1, 2, 3] %}{% if i == 2 %}{% continue %}{% endif %}{{ i }}{% break %}{% endfor %}",
    "{% with a = x, b = a %}{{ a }}{{ b }}{% endwith %}{% do [].append(1) %}{{ x|unknown }}",
    "{% if x == 5 %}{{ x|unknown }}{% endif %}{{ y.z.z }}",
    "{% block a %}{% block c %}{{ x }}{% endblock %}{% endblock %}{% block a %}{% endblock %}",
    "{% for x in [1] %}{% block loop_block scoped %}{{ x }}{{ loop.index }}{% endblock %}{% endfor %}",
    "{% for loop in [1] %}{% endfor %}",
]  # fmt: skip


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("autoescape", [True, False])
def test_each_statement_gives_the_same(source: str, autoescape: bool) -> None:
    results = []
    for kind in (jinja2.Environment, Environment):
        environment = kind(
            loader=jinja2.DictLoader({**OTHERS, "page": source}),
            autoescape=autoescape,
            extensions=["jinja2.ext.do", "jinja2.ext.loopcontrols"],
        )
        try:
            results.append(environment.get_template("page").render(x=True, y="<y>"))
        except Exception as error:
            results.append(f"{type(error)} {error}")
    assert results[0] == results[1]


def test_a_template_included_without_context_in_a_macro() -> None:
    # In Jinja2 3.1.6 the macro prints "<generator object macro at 0x...>".
    loader = jinja2.DictLoader({"part": "part {{ x }}"})
    source = "{% macro m() %}({% include 'part' without context %}){% endmacro %}{{ m() }}"
    assert Environment(loader=loader).from_string(source).render(x=1) == "(part )"
