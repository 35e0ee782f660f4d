from pathlib import Path
from typing import Any

import jinja2
import pytest

from atlas import Application, render
from atlas.web.templates.places import TemplatePlace, template_place
from tests.web.templates.pages import asking, write


def failing(site: Application, name: str, **options: Any) -> tuple[BaseException, TemplatePlace | None]:
    with pytest.raises((jinja2.TemplateError, ZeroDivisionError)) as caught:
        render(asking(site), name, **options)
    place = template_place(caught.value)
    assert place is None or str(place) in caught.value.__notes__
    return caught.value, place


def test_an_error_carries_the_line_of_the_template(site: Application, tmp_path: Path) -> None:
    (tmp_path / "layout.html").write_text("{% block body %}{% endblock %}")
    (tmp_path / "page.html").write_text("")
    write(
        site,
        variable="a\nb\n  {{ missing }}\n",
        outer="a\n{% include 'variable.html' %}",
        inner="{% extends 'layout.html' %}\n{% block body %}\n{{ 1 / 0 }}{% endblock %}",
        syntax="a\n\n{% if %}",
        lost="a\n{% include 'variabel.html' %}",
    )
    for name, file, line, text in (
        ("variable", "variable", 3, "{{ missing }}"),
        ("outer", "variable", 3, "{{ missing }}"),
        ("inner", "inner", 3, "{{ 1 / 0 }}{% endblock %}"),
        ("syntax", "syntax", 3, "{% if %}"),
        ("lost", "lost", 2, "{% include 'variabel.html' %}"),
    ):
        _, place = failing(site, f"{name}.html")
        assert place is not None
        assert (Path(place.path).name, place.line, place.text.strip()) == (f"{file}.html", line, text)
    _, place = failing(site, "inner.html", block="body")
    assert place is not None
    assert place.line == 3


def test_a_missing_template_names_the_searched_folders(site: Application, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("")
    error, place = failing(site, "pages.html")
    assert place is None
    assert error.__notes__ == [f"looked for 'pages.html' in {tmp_path}; did you mean 'page.html'?"]
    with pytest.raises(jinja2.TemplateNotFound) as caught:
        render(asking(Application()), "page.html")
    assert "no folder" in caught.value.__notes__[0]


def test_an_error_elsewhere_has_no_place() -> None:
    assert template_place(ValueError()) is None
