import jinja2
import pytest

from atlas.web.templates.environment import Environment
from atlas.web.templates.references import uses_variable

TEMPLATES = {
    "none": "{{ other }}",
    "own": "{{ flashes() }}",
    "layout": "{% block main %}{% endblock %}{% include 'own' %}",
    "page": "{% extends 'layout' %}",
    "macros": "{% macro told() %}{% for each in flashes() %}{% endfor %}{% endmacro %}",
    "importing": "{% from 'macros' import told %}{{ told() }}",
    "one_of": "{% include ['missing', 'own'] %}",
    "circle": "{% include 'circle' %}",
    "computed": "{% include name %}",
    "lost": "{% include 'missing' %}",
    "wrong": "{% include 'syntax' %}",
    "syntax": "{% if %}",
}
USING = {"own", "layout", "page", "macros", "importing", "one_of"}


@pytest.mark.parametrize("name", TEMPLATES)
def test_the_variables_of_a_template_and_of_those_that_it_names(name: str) -> None:
    environment = Environment(loader=jinja2.DictLoader(TEMPLATES))
    assert uses_variable(environment, name, "flashes") is (name in USING)


def test_without_a_source_it_is_not_known() -> None:
    assert not uses_variable(Environment(), "own", "flashes")
