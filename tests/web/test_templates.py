from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import jinja2
import pytest

from atlas import Application, AsyncRequest, Request, Response, Route, render

Ask = Callable[..., httpx.Response]

PAGE = """{% extends "layout.html" %}
{% block body %}<p>{{ name }} {{ url_for('page', name='ü') }} {{ request.method }}</p>{% endblock %}"""


@pytest.fixture
def app(tmp_path: Path) -> Application:
    (tmp_path / "layout.html").write_text("<title>{{ title | default('none') }}</title>{% block body %}{% endblock %}")
    (tmp_path / "page.html").write_text(PAGE)
    (tmp_path / "hard.html").write_text("{% if missing %}a{% else %}b{% endif %}{{ missing }}")
    (tmp_path / "soft.html").write_text("{% if missing %}a{% else %}b{% endif %}")

    def page(request: Request, name: str) -> Response:
        return render(request, "page.html", {"name": name}, status_code=201, headers={"x-a": "b"})

    async def block(request: AsyncRequest) -> Response:
        return render(request, "page.html", {"name": "n"}, block="body")

    def template(request: Request, name: str) -> Response:
        return render(request, name)

    routes = [Route("/page/{name}", page), Route("/block", block), Route("/template/{name}", template)]
    return Application(routes, config={"template_dirs": [str(tmp_path)]})


def test_a_page_is_rendered_and_escaped(ask: Ask, app: Application) -> None:
    response = ask(app, "GET", "/page/%3Cb%3E")
    assert response.text == "<title>none</title><p>&lt;b&gt; /page/%C3%BC GET</p>"
    assert (response.status_code, response.headers["x-a"]) == (201, "b")
    assert response.headers["content-type"] == "text/html; charset=utf-8"


def test_one_block_of_a_page(ask: Ask, app: Application) -> None:
    assert ask(app, "GET", "/block").text == "<p>n /page/%C3%BC GET</p>"


def test_an_unknown_block_names_those_that_there_are(app: Application) -> None:
    request = Request(app, {"type": "http", "method": "GET", "path": "/"}, lambda: None)  # type: ignore[arg-type, return-value]
    with pytest.raises(LookupError, match="has no block 'head', only body"):
        render(request, "page.html", block="head")


@pytest.mark.parametrize(("name", "error"), [("hard.html", jinja2.UndefinedError), ("none", jinja2.TemplateNotFound)])
def test_what_is_missing_is_an_error(app: Application, name: str, error: type[Exception]) -> None:
    request: Any = Request(app, {"type": "http", "method": "GET", "path": "/"}, lambda: None)  # type: ignore[arg-type, return-value]
    with pytest.raises(error):
        render(request, name)


def test_a_missing_variable_may_be_asked_for(ask: Ask, app: Application) -> None:
    assert ask(app, "GET", "/template/soft.html").text == "b"


def test_markup_in_a_string_template_is_escaped_too(app: Application) -> None:
    assert app.templates.environment.from_string("{{ x }}").render(x="<b>") == "&lt;b&gt;"
