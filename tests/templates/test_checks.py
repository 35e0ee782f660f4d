from __future__ import annotations

import jinja2
import pytest

from atlas.templates import Environment
from atlas.templates.checks import unknown_functions, unknown_imports

TEMPLATES = {
    "forms": "{% macro field(name) %}{{ name }}{% endmacro %}{% if a %}{% set size = 5 %}{% endif %}",
    "child": "{% extends 'forms' %}",
    "broken": "{% if %}",
}
ENVIRONMENT = Environment(loader=jinja2.DictLoader(TEMPLATES))


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("{{ a|upper }}{{ a is defined }}", []),
        ("{{ a|uper }}", [(1, "no filter is named 'uper': did you mean 'upper'?")]),
        ("{% if a %}\n{{ (b|x) ~ (c is y) }}{% endif %}", [(2, "no filter is named 'x'"), (2, "no test is named 'y'")]),
        ("{% if 'markdown' is filter %}{{ a|markdown }}{% endif %}", []),
        ("{{ a|markdown if a and 'markdown' is filter else a }}", []),
        ("{% filter zzz %}{% endfilter %}", [(1, "no filter is named 'zzz'")]),
    ],
)
def test_unknown_functions(source: str, found: list[tuple[int, str]]) -> None:
    assert list(unknown_functions(ENVIRONMENT, ENVIRONMENT.parse(source))) == found


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("{% from 'forms' import field, size as s %}{% import 'forms' as f %}{{ f.field(f.size) }}", []),
        ("\n{% from 'forms' import feild %}", [(2, "template 'forms' does not define 'feild': did you mean 'field'?")]),
        ("{% import 'forms' as f %}\n{{ f.nothing() }}", [(2, "template 'forms' does not define 'nothing'")]),
        ("{% import 'forms' as f %}{% set f = 1 %}{{ f.nothing }}", []),
        (
            "{% from 'child' import x %}{% from 'absent' import x %}{% from 'broken' import x %}{% from a import x %}",
            [],
        ),
    ],
)
def test_unknown_imports(source: str, found: list[tuple[int, str]]) -> None:
    assert list(unknown_imports(ENVIRONMENT, ENVIRONMENT.parse(source))) == found


def test_without_sources_nothing_is_unknown() -> None:
    assert list(unknown_imports(Environment(), Environment().parse("{% from 'forms' import x %}"))) == []
