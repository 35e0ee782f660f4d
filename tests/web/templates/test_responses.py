import asyncio
from pathlib import Path
from typing import Any

import jinja2
import pytest

from atlas import Application, AsyncRequest, AsyncTestClient, Request, Route, Session, Sessions, TestClient, render
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

    write(app, long="{% for n in numbers %}{{ n }},{{ '-' * 200 }}{% endfor %}")
    response = render(asking(app), "long.html", {"numbers": numbers()}, stream=True, status_code=201)
    assert isinstance(response, StreamingTemplate)
    assert 0 < len(asked) < 100
    start, *bodies = drive(response)
    assert (start["status"], start["headers"]) == (201, [(b"content-type", b"text/html; charset=utf-8")])
    assert b"".join(body["body"] for body in bodies) == "".join(f"{n},{'-' * 200}" for n in range(200)).encode()
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


# --------------------------------------------------------------------------------- pages that a module or a cache keeps

BEHIND = "{{ later() }} <p>{{ name }}</p>"


def keeping(site: Application, gone: list[int], *, stream: bool = False, middleware: Any = ()) -> Application:
    """An application whose controllers return the page that was rendered for the first request."""
    pages: dict[str, Any] = {}

    async def later() -> str:
        gone.append(1)
        await asyncio.sleep(0)
        if len(gone) == 1 and site.state.get("fails"):
            raise ValueError("on purpose")
        return "later"

    async def page(request: AsyncRequest) -> Any:
        if "page" not in pages:
            pages["page"] = render(request, "behind.html", {"name": "Ada"}, stream=stream)
        return pages["page"]

    write(site, behind=BEHIND)
    app = Application([Route("/", page)], middleware=middleware, config={"template_dirs": site.config.template_dirs})
    app.templates.globals["later"] = later
    return app


def numbered(request: Request, call_next: Any) -> Any:
    response = call_next(request)
    response.set_cookie(f"visitor-{request.query['n']}", "1")
    return response


@pytest.mark.parametrize("middleware", [(), (numbered,)], ids=["alone", "middleware"])
def test_a_page_that_waits_and_is_kept_is_rendered_once_and_stays_as_it_is(site: Application, middleware: Any) -> None:
    calls: list[int] = []
    with TestClient(keeping(site, calls, middleware=middleware)) as client:
        for number in range(3):
            response = client.get(f"/?n={number}")
            assert response.text == "later <p>Ada</p>"
            assert [each.partition("=")[0] for each in response.headers.get_list("set-cookie")] == (
                [f"visitor-{number}"] if middleware else []
            )
    assert len(calls) == 1


def test_requests_at_the_same_time_wait_for_one_rendering(site: Application) -> None:
    calls: list[int] = []

    async def ask() -> list[str]:
        async with AsyncTestClient(keeping(site, calls)) as client:
            return [response.text for response in await asyncio.gather(*[client.get("/") for _ in range(3)])]

    assert asyncio.run(ask()) == ["later <p>Ada</p>"] * 3
    assert len(calls) == 1


def test_a_kept_page_that_has_failed_says_so(site: Application) -> None:
    site.state["fails"] = True
    with TestClient(keeping(site, [])) as client:
        with pytest.raises(ValueError, match="on purpose"):
            client.get("/")
        with pytest.raises(RuntimeError, match="render\\(\\) it again"):
            client.get("/")


def test_a_kept_page_that_is_streamed_is_sent_once(site: Application) -> None:
    """The second response would be an empty page."""
    with TestClient(keeping(site, [], stream=True)) as client:
        assert client.head("/").status_code == 200
        assert client.get("/").text == "later <p>Ada</p>"
        with pytest.raises(RuntimeError, match="can be sent once"):
            client.get("/")
