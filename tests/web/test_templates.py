from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import jinja2
import pytest

from atlas import Application, AsyncRequest, Request, Response, Route, render
from atlas.web.templates import StreamingTemplate, TemplatePlace, template_place

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
def test_an_undefined_variable_is_an_error(app: Application, name: str, error: type[Exception]) -> None:
    request: Any = Request(app, {"type": "http", "method": "GET", "path": "/"}, lambda: None)  # type: ignore[arg-type, return-value]
    with pytest.raises(error):
        render(request, name)


def test_an_undefined_variable_is_false(ask: Ask, app: Application) -> None:
    assert ask(app, "GET", "/template/soft.html").text == "b"


def asking(app: Application, **scope: Any) -> Any:
    whole = {"type": "http", "method": "GET", "path": "/", "headers": [], **scope}
    return Request(app, whole, lambda: None)  # type: ignore[arg-type, return-value]


def write(app: Application, **files: str) -> None:
    for name, text in files.items():
        (Path(app.templates.environment.loader.searchpath[0]) / f"{name}.html").write_text(text)  # type: ignore[union-attr]


def text_of(app: Application, template: str, request: Any = None, **context: Any) -> str:
    name = f"it{len(app.templates.environment.list_templates())}"  # a new one each time: templates are kept
    write(app, **{name: template})
    return app.templates.render(request or asking(app), f"{name}.html", context)


def test_globals_filters_and_context_processors(app: Application) -> None:
    app.templates.globals["site"] = "lakes"

    @app.templates.filter("shout")
    def shout(text: str) -> str:
        return text.upper()

    @app.templates.context_processor
    def variables(request: Any) -> dict[str, Any]:
        return {"method": request.method, "mine": "no"}

    assert text_of(app, "{{ site }} {{ 'a' | shout }} {{ method }} {{ mine }}", mine="yes") == "lakes A GET yes"
    assert "shout" not in Application().templates.filters
    assert "site" not in Application().templates.globals


class Bag(dict[str, Any]):
    def flashes(self) -> list[str]:
        return ["<saved>"]


def test_flashed_messages(app: Application) -> None:
    request = asking(app)
    request.session = Bag()
    assert text_of(app, "{% for each in flashes() %}{{ each }}{% endfor %}", request) == "&lt;saved&gt;"
    with pytest.raises(RuntimeError, match="no Sessions middleware"):
        text_of(app, "{{ flashes() }}")


def test_the_token_of_forms(app: Application) -> None:
    request = asking(app, state={"csrf_token": "abc"})
    assert text_of(app, "{{ csrf_token }}", request) == "abc"
    assert text_of(app, "{% if csrf_token %}a{% else %}b{% endif %}") == "b"
    with pytest.raises(jinja2.UndefinedError, match="no CSRF middleware"):
        text_of(app, "{{ csrf_token }}")


def failing(app: Application, name: str, **options: Any) -> tuple[BaseException, TemplatePlace | None]:
    with pytest.raises((jinja2.TemplateError, ZeroDivisionError)) as caught:
        render(asking(app), name, **options)
    place = template_place(caught.value)
    assert place is None or str(place) in caught.value.__notes__
    return caught.value, place


def test_an_error_carries_the_line_of_the_template(app: Application) -> None:
    write(
        app,
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
        _, place = failing(app, f"{name}.html")
        assert place is not None
        assert (Path(place.path).name, place.line, place.text.strip()) == (f"{file}.html", line, text)
    _, place = failing(app, "inner.html", block="body")
    assert place is not None
    assert place.line == 3


def test_a_missing_template_names_the_searched_folders(app: Application, tmp_path: Path) -> None:
    error, place = failing(app, "pages.html")
    assert place is None
    assert error.__notes__ == [f"looked for 'pages.html' in {tmp_path}; did you mean 'page.html'?"]
    with pytest.raises(jinja2.TemplateNotFound) as caught:
        render(asking(Application()), "page.html")
    assert "no folder" in caught.value.__notes__[0]


def test_an_error_elsewhere_has_no_place() -> None:
    assert template_place(ValueError()) is None


def test_a_page_that_is_sent_while_it_is_rendered(app: Application, drive: Any) -> None:
    asked: list[int] = []

    def numbers() -> Any:
        for number in range(200):
            asked.append(number)
            yield number

    write(app, long="{% for n in numbers %}{{ n }},{% endfor %}")
    response = render(asking(app), "long.html", {"numbers": numbers()}, stream=True, status_code=201)
    assert isinstance(response, StreamingTemplate)
    assert 0 < len(asked) < 100
    start, *bodies = drive(response)
    assert (start["status"], start["headers"]) == (201, [(b"content-type", b"text/html; charset=utf-8")])
    assert b"".join(body["body"] for body in bodies) == "".join(f"{n}," for n in range(200)).encode()
    assert 3 < len(bodies) < 20


@pytest.mark.parametrize(("name", "error"), [("hard.html", jinja2.UndefinedError), ("none", jinja2.TemplateNotFound)])
def test_what_is_wrong_at_the_beginning_is_an_error_page(app: Application, name: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        render(asking(app), name, stream=True)


def test_a_block_that_is_streamed(app: Application, drive: Any) -> None:
    response = StreamingTemplate(asking(app), "page.html", {"name": "n"}, block="body", headers={"x-a": "b"})
    assert drive(response)[1]["body"] == b"<p>n /page/%C3%BC GET</p>"


def test_markup_in_a_string_template_is_escaped_too(app: Application) -> None:
    assert app.templates.environment.from_string("{{ x }}").render(x="<b>") == "&lt;b&gt;"
