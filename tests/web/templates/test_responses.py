from pathlib import Path
from typing import Any

import jinja2
import pytest

from atlas import Application, Request, Route, Session, Sessions, TestClient, render
from atlas.web.templates.responses import StreamingTemplate
from tests.web.templates.pages import asking, write


@pytest.fixture
def app(site: Application, tmp_path: Path) -> Application:
    (tmp_path / "hard.html").write_text("{{ missing }}")
    (tmp_path / "page.html").write_text("{% block body %}<p>{{ name }} {{ request.method }}</p>{% endblock %}")
    return site


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
    assert drive(response)[1]["body"] == b"<p>n GET</p>"


LONG = "{% for n in range(100) %}<p>{{ n }}</p>{% endfor %}"
TOLD = "{% for each in flashes() %}[{{ each.message }}]{% endfor %}"


@pytest.mark.parametrize("store", ["cookie", "memory"])
@pytest.mark.parametrize("before", ["", LONG], ids=["short", "long"])
@pytest.mark.parametrize("where", ["itself", "layout", "macro"])
def test_messages_of_a_streamed_page_are_shown_once(site: Application, store: Any, before: str, where: str) -> None:
    """The session is saved with the head of the response: a message that was taken later would be shown again."""
    write(
        site,
        itself=before + TOLD,
        layout="{% extends 'base.html' %}",
        base=before + TOLD,
        macro="{% from 'macros.html' import told %}" + before + "{{ told() }}",
        macros="{% macro told() %}" + TOLD + "{% endmacro %}",
    )

    def say(request: Request) -> str:
        request.session.flash("saved")
        return "ok"

    routes = [
        Route("/say", say),
        Route("/", lambda request: render(request, f"{where}.html", stream=True), name="page"),
    ]
    app = Application(
        routes, middleware=[Sessions("k" * 32, store)], config={"template_dirs": site.config.template_dirs}
    )
    with TestClient(app) as client:
        client.get("/say")
        assert [client.get("/").text.endswith("[saved]") for _ in range(3)] == [True, False, False]


def test_messages_stay_if_a_streamed_page_does_not_show_them(site: Application) -> None:
    write(site, quiet="quiet", told=TOLD)
    request = asking(site)
    request.session = Session()
    request.session.flash("saved")
    for name, text in (("quiet.html", "quiet"), ("told.html", "[saved]"), ("told.html", "")):
        assert "".join(site.templates.chunks(request, name)) == text
