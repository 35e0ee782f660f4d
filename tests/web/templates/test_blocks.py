import os
import pathlib

import jinja2
import pytest

from atlas import Application
from tests.web.templates.pages import asking, write

LAYOUT = """{{ fail() }}{% set site = 'Site' %}{% block title %}{{ site }}{% endblock %}
{% block nav %}{% block inner %}NAV{% endblock %}{% endblock %}{% block main %}{% endblock %}"""
PAGE = """{% extends 'layout.html' %}{% from 'macros.html' import bold %}{% import 'macros.html' as macros %}
{% set hello = 'hi' %}{% set long %}<b>{{ hello }}</b>{% endset %}{% macro own(x) %}({{ x }}){% endmacro %}
{% if loud %}{% set hello = 'HI' %}{% endif %}
{% block title %}Page, {{ super() }}{% endblock %}
{% block main %}{{ bold(1) }}{{ macros.bold(2) }}{{ own(3) }}
{%- block said %}{{ hello }}{{ long }}{% endblock %}{% endblock %}
{% block own_title %}{{ self.title() }}{% endblock %}"""
BOLD = "{% macro bold(x) %}<b>{{ x }}</b>{% endmacro %}"


@pytest.mark.parametrize(
    ("block", "text"),
    [
        ("main", "<b>1</b><b>2</b>(3)hi<b>hi</b>"),
        ("said", "hi<b>hi</b>"),
        ("title", "Page, Site"),
        ("nav", "NAV"),
        ("inner", "NAV"),
        ("own_title", "Page, Site"),
    ],
)
def test_a_block_has_what_its_page_defines(site: Application, block: str, text: str) -> None:
    write(site, layout=LAYOUT, page=PAGE, macros=BOLD)
    assert site.templates.render(asking(site), "page.html", block=block) == text


def test_definitions_in_conditions(site: Application) -> None:
    write(site, layout=LAYOUT, page=PAGE, macros=BOLD)
    assert site.templates.render(asking(site), "page.html", {"loud": True}, "said") == "HI<b>hi</b>"


@pytest.mark.parametrize(
    "around",
    [
        "{{ fail() }}@{{ missing }}",
        "{% if missing %}a{% elif fail %}{{ fail() }}{% else %}@{% endif %}",
        "{% for n in missing %}{{ n }}{% endfor %}@",
        "{% with a = missing %}@{{ a }}{% endwith %}",
        "{% include 'missing.html' %}@",
        "{% call fail() %}{% endcall %}@",
        "{% filter upper %}{{ fail() }}@{% endfilter %}",
        "{% autoescape false %}@{{ fail() }}{% endautoescape %}",
    ],
)
def test_what_is_printed_around_a_block_is_not_run(site: Application, around: str) -> None:
    write(site, page=around.replace("@", "{% block main %}main{% block inner %}{% endblock %}{% endblock %}"))
    assert site.templates.render(asking(site), "page.html", block="main") == "main"


def test_values_that_a_loop_collects(site: Application) -> None:
    source = """{% set found = namespace(last=0) %}{% for n in [1, 2, 3] %}{{ fail() }}{% if n != 3 %}
    {% set found.last = n %}{% else %}text{% endif %}{% endfor %}{% block main %}{{ found.last }}{% endblock %}"""
    write(site, page=source)
    assert site.templates.render(asking(site), "page.html", block="main") == "2"


def test_an_included_template_is_whole(site: Application) -> None:
    write(site, page="{% block main %}{% include 'part.html' %}{% endblock %}", part="a{% block x %}b{% endblock %}c")
    assert site.templates.render(asking(site), "page.html", block="main") == "abc"


@pytest.mark.parametrize("choice", ["layout.html", "object"])
def test_a_layout_that_the_controller_chooses(site: Application, choice: str) -> None:
    write(
        site, layout="{% block nav %}NAV{% endblock %}", page="{% extends layout %}{% block main %}main{% endblock %}"
    )
    layout = site.templates.environment.get_template("layout.html") if choice == "object" else choice
    assert site.templates.render(asking(site), "page.html", {"layout": layout}, "nav") == "NAV"


def test_a_missing_layout_names_the_line(site: Application) -> None:
    write(site, page="\n{% extends 'layuot.html' %}{% block main %}main{% endblock %}")
    with pytest.raises(jinja2.TemplateNotFound) as caught:
        site.templates.render(asking(site), "page.html", block="main")
    assert any("line 2" in note for note in caught.value.__notes__)


def test_a_changed_template_is_read_again(tmp_path: pathlib.Path) -> None:
    app = Application(config={"template_dirs": [str(tmp_path)]}, debug=True)
    write(app, page="{% block main %}old{% endblock %}")
    assert app.templates.render(asking(app), "page.html", block="main") == "old"
    path = tmp_path / "page.html"
    path.write_text("{% set new = 'new' %}{% block main %}{{ new }}{% endblock %}")
    os.utime(path, (1, 1))
    assert app.templates.render(asking(app), "page.html", block="main") == "new"


def test_a_template_without_its_source(site: Application, tmp_path: pathlib.Path) -> None:
    """Compiled templates are rendered as they are."""
    write(site, page="{% set hello = 'hi' %}{% block main %}{{ hello }}{% endblock %}")
    site.templates.environment.compile_templates(str(tmp_path / "compiled"), zip=None)
    site.templates.environment.loader = jinja2.ModuleLoader(str(tmp_path / "compiled"))
    assert site.templates.render(asking(site), "page.html", block="main") == "hi"
