import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import jinja2
import pytest

from atlas import Application, AsyncRequest, Request, Response, Route, Templates, TestClient, await_, render
from atlas.web.templates.templates import is_markup
from tests.web.templates.pages import asking, text_of

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


def test_markup_in_a_string_template_is_escaped_too(app: Application) -> None:
    assert app.templates.environment.from_string("{{ x }}").render(x="<b>") == "&lt;b&gt;"


@pytest.mark.parametrize("name", ["p.html", "p.html.j2", "p.jinja", "p.txt", "P.HTML", "p"])
@pytest.mark.parametrize("stream", [False, True])
def test_a_page_is_escaped_whatever_its_name_is(site: Application, tmp_path: Path, name: str, stream: bool) -> None:
    (tmp_path / name).write_text("{{ x }}{% include 'part.txt' %}{% from 'macro.txt' import bold %}{{ bold(x) }}")
    (tmp_path / "part.txt").write_text("{{ x }}")
    (tmp_path / "macro.txt").write_text("{% macro bold(text) %}<b>{{ text }}</b>{% endmacro %}")
    site.router.add(Route("/", lambda request: render(request, name, {"x": "<i>"}, stream=stream), name="page"))
    response = TestClient(site).get("/")
    assert response.text == "&lt;i&gt;&lt;i&gt;<b>&lt;i&gt;</b>"
    assert response.headers["content-type"] == "text/html; charset=utf-8"


@pytest.mark.parametrize("options", [{"content_type": "text/plain"}, {"headers": {"Content-Type": "text/plain"}}])
@pytest.mark.parametrize("stream", [False, True])
def test_a_text_is_not_escaped(site: Application, tmp_path: Path, options: Any, stream: bool) -> None:
    (tmp_path / "mail.html").write_text("{{ x }}{% include 'part.html' %}")
    (tmp_path / "part.html").write_text("{{ x }}")
    site.router.add(
        Route("/", lambda request: render(request, "mail.html", {"x": "<&>"}, stream=stream, **options), name="mail")
    )
    response = TestClient(site).get("/")
    assert (response.text, response.headers["content-type"]) == ("<&><&>", "text/plain")
    assert text_of(site, "{{ x }}", x="<&>") == "&lt;&amp;&gt;"


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        ("text/html", True),
        ("TEXT/HTML; charset=utf-8", True),
        ("application/xhtml+xml", True),
        ("image/svg+xml", True),
        ("application/rss+xml", True),
        ("text/vnd.turbo-stream.html", True),
        ("", True),
        ("nonsense", True),
        ("*/*", True),
        ("unknown/unknown", True),
        ("text/plain; charset=utf-8", False),
        ("text/csv", False),
        ("application/json", False),
    ],
)
def test_the_types_that_may_contain_markup(content_type: str, expected: bool) -> None:
    assert is_markup(content_type) is expected


def test_templates_of_another_loader(tmp_path: Path) -> None:
    app = Application()
    app.templates = Templates(loader=jinja2.DictLoader({"page": "{{ x }}"}), trim_blocks=True)
    assert app.templates.render(asking(app), "page", {"x": "<b>"}) == "&lt;b&gt;"
    assert app.templates.environment.trim_blocks
    with pytest.raises(jinja2.TemplateNotFound) as caught:
        app.templates.render(asking(app), "pages")
    assert "DictLoader" in caught.value.__notes__[0]


def test_folders_of_its_own(site: Application, tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "page.html").write_text("own")
    site.templates = Templates([tmp_path / "own"], reload=True)
    assert site.templates.render(asking(site), "page.html") == "own"
    assert site.templates.environment.auto_reload
    with pytest.raises(TypeError, match="list of folders"):
        Templates("templates")


async def name() -> str:
    await asyncio.sleep(0)
    return "Ada"


def waits() -> str:
    return await_(name())


class Numbers:
    def __aiter__(self) -> AsyncIterator[int]:
        return self.numbers()

    async def numbers(self) -> AsyncIterator[int]:
        for number in range(3):
            await asyncio.sleep(0)
            yield number


ASYNC_PAGE = (
    "{% extends 'layout.html' %}{% from 'macro.html' import shown %}"
    "{% block main %}{{ name() }} {{ waits() }} {{ shown(name) }}"
    "{% for n in numbers %}{{ n }}{% endfor %}{% endblock %}"
)


@pytest.mark.parametrize("options", [{}, {"stream": True}, {"block": "main"}], ids=str)
@pytest.mark.parametrize("run", ["greenlet", "thread", "async"])
def test_templates_that_await(ask: Ask, site: Application, tmp_path: Path, run: str, options: Any) -> None:
    (tmp_path / "page.html").write_text(ASYNC_PAGE)
    (tmp_path / "layout.html").write_text("{% block main %}{% endblock %}")
    (tmp_path / "macro.html").write_text("{% macro shown(call) %}<b>{{ call() }}</b>{% endmacro %}")
    site.templates = Templates(enable_async=True)
    context = {"name": name, "waits": waits, "numbers": Numbers()}

    def page(request: Request) -> Response:
        return render(request, "page.html", context, **options)

    async def async_page(request: AsyncRequest) -> Response:
        return render(request, "page.html", context, **options)

    if run == "async":
        site.router.add(Route("/", async_page))
    else:
        site.router.add(Route("/", page, run=run))
    assert ask(site, "GET", "/").text == "Ada Ada <b>Ada</b>012"


def test_an_error_in_a_template_that_awaits_has_its_place(site: Application, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("a\n{{ fails() }}")
    site.templates = Templates(enable_async=True)

    async def fails() -> None:
        await asyncio.sleep(0)
        raise ZeroDivisionError

    site.router.add(Route("/", lambda request: render(request, "page.html", {"fails": fails}), name="page"))
    with pytest.raises(ZeroDivisionError) as caught:
        TestClient(site).get("/")
    assert "line 2: {{ fails() }}" in caught.value.__notes__[0]


def test_templates_are_compiled_at_startup_in_production(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "page.html").write_text("{{ a }}")
    (tmp_path / "wrong.html").write_text("\n{{ a")
    (tmp_path / "image.png").write_bytes(b"\xff")
    for debug in (True, False):
        application = Application(config={"template_dirs": [str(tmp_path)], "debug": debug})
        with TestClient(application):
            loaded = [key[1] for key in application.templates.environment.cache]  # type: ignore[union-attr]
        assert loaded == ([] if debug else ["page.html"])
    (record,) = caplog.records
    assert record.getMessage().startswith("template wrong.html:2: unexpected end of template")
