"""Changed templates are loaded again in development, whichever cache has them, and not in production."""

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from atlas import Application, Route, TestClient, render
from atlas.web.templates.templates import Templates

FILES = {
    "layout.html": "<title>layout 1</title>{% block main %}{% endblock %}{% block foot %}foot 1{% endblock %}",
    "page.html": (
        '{% extends "layout.html" %}{% import "macros.html" as macros %}{% from "more.html" import more %}'
        '{% block main %}page 1, {% include "part.html" %}, {{ macros.word() }}, {{ more() }}{% endblock %}'
    ),
    "part.html": "part 1",
    "macros.html": "{% macro word() %}word 1{% endmacro %}",
    "more.html": "{% macro more() %}more 1{% endmacro %}",
    "note.txt": "note 1 {{ '<' }}",
}
Edit = Callable[[str], None]


@pytest.fixture
def edit(tmp_path: Path) -> Edit:
    times = itertools.count(1_000_000_000, 10)  # a file system may give two quick edits the same time

    def change(name: str) -> None:
        path = tmp_path / "templates" / name
        path.write_text(path.read_text().replace("1", "2"))
        os.utime(path, (next(times),) * 2)

    return change


def make(folder: Path, debug: bool, **options: Any) -> Application:
    (folder / "templates").mkdir(exist_ok=True)
    for name, text in FILES.items():
        (folder / "templates" / name).write_text(text)
        os.utime(folder / "templates" / name, (1, 1))
    routes = [
        Route("/", lambda request: render(request, "page.html")),
        Route("/main", lambda request: render(request, "page.html", block="main")),
        Route("/foot", lambda request: render(request, "page.html", block="foot")),
        Route("/note", lambda request: render(request, "note.txt", content_type="text/plain")),
    ]
    app = Application(routes, debug=debug, config={"template_dirs": [str(folder / "templates")]})
    app.templates = Templates(**options)
    return app


@pytest.fixture(params=[{}, {"enable_async": True}], ids=["sync", "async"])
def client(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[TestClient]:
    with TestClient(make(tmp_path, True, **request.param)) as client:
        yield client


@pytest.mark.parametrize(
    ("path", "name", "before", "after"),
    [
        ("/", "page.html", "page 1", "page 2"),
        ("/", "layout.html", "layout 1", "layout 2"),
        ("/", "part.html", "part 1", "part 2"),
        ("/", "macros.html", "word 1", "word 2"),
        ("/", "more.html", "more 1", "more 2"),
        ("/main", "page.html", "page 1", "page 2"),
        ("/main", "part.html", "part 1", "part 2"),
        ("/main", "macros.html", "word 1", "word 2"),
        ("/foot", "layout.html", "foot 1", "foot 2"),
        ("/note", "note.txt", "note 1 <", "note 2 <"),
    ],
)
def test_an_edit_shows(client: TestClient, edit: Edit, path: str, name: str, before: str, after: str) -> None:
    assert before in client.get(path).text
    edit(name)
    assert after in client.get(path).text
    assert after in client.get(path).text


def test_a_new_template_takes_the_place_of_a_missing_one(client: TestClient, tmp_path: Path, edit: Edit) -> None:
    part = tmp_path / "templates/part.html"
    part.rename(tmp_path / "part.html")
    with pytest.raises(Exception, match="part.html"):
        client.get("/")
    (tmp_path / "part.html").rename(part)
    assert "part 1" in client.get("/").text


def test_in_production_files_are_not_looked_at_again(tmp_path: Path, edit: Edit) -> None:
    with TestClient(make(tmp_path, False)) as client:
        assert "page 1" in client.get("/").text
        edit("page.html")
        assert "page 1" in client.get("/").text
