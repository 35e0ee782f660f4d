from typing import Any

import jinja2
import pytest

from atlas import CSRF, Application, Request, Route, Sessions, TestClient, render
from tests.web.templates.pages import asking, text_of, write


class Bag(dict[str, Any]):
    def flashes(self) -> list[str]:
        return ["<saved>"]


def test_flashed_messages(site: Application) -> None:
    request = asking(site)
    request.session = Bag()
    assert text_of(site, "{% for each in flashes() %}{{ each }}{% endfor %}", request) == "&lt;saved&gt;"
    with pytest.raises(RuntimeError, match="no Sessions middleware"):
        text_of(site, "{{ flashes() }}")


def test_the_token_of_forms(site: Application) -> None:
    request = asking(site, state={"csrf_token": "abc"})
    assert text_of(site, "{{ csrf_token }}", request) == "abc"
    assert text_of(site, "{% if csrf_token %}a{% else %}b{% endif %}") == "b"
    with pytest.raises(jinja2.UndefinedError, match="no CSRF middleware"):
        text_of(site, "{{ csrf_token }}")


MACROS = """{% macro link() %}{{ url_for('page', name='x') }}{% endmacro %}
{% macro token() %}{% if csrf_token %}<i value="{{ csrf_token }}">{% endif %}{% endmacro %}
{% macro told() %}{% for each in flashes() %}[{{ each.message }}]{% endfor %}{% endmacro %}
{% macro path() %}{{ request.path }} {{ request.query.a }}{% endmacro %}"""
KEY = "k" * 32


@pytest.fixture
def macros(site: Application) -> TestClient:
    write(site, macros=MACROS)

    def page(request: Request, name: str) -> Any:
        return render(request, f"{name}.html", stream="stream" in request.query)

    def say(request: Request) -> str:
        request.session.flash("saved")
        return "ok"

    site._middleware = (Sessions(KEY), CSRF(KEY))
    site.router.add(Route("/say", say))
    site.router.add(Route("/{name}", page))
    return TestClient(site)


@pytest.mark.parametrize("imported", ["from 'macros.html' import link, token, told, path", "import 'macros.html' as m"])
@pytest.mark.parametrize("query", ["", "&stream"])
def test_macros_that_are_imported_without_context(
    macros: TestClient, site: Application, imported: str, query: str
) -> None:
    m = "m." if imported.endswith("m") else ""
    write(
        site, page=f"{{% {imported} %}}{{{{ {m}link() }}}} {{{{ {m}path() }}}} {{{{ {m}token() }}}} {{{{ {m}told() }}}}"
    )
    macros.get("/say")
    first, second = (macros.get(f"/page?a={a}{query}").text for a in "12")
    assert first.startswith('/x /page 1 <i value="')
    assert second.startswith('/x /page 2 <i value="')
    assert (first.endswith("> [saved]"), second.endswith("> ")) == (True, True)
    assert first.split('"')[1] != second.split('"')[1]  # the token is masked anew for each request


def test_a_token_in_a_macro_without_its_middleware(site: Application) -> None:
    write(site, macros=MACROS)
    assert text_of(site, "{% from 'macros.html' import token %}{{ token() }}") == ""
    write(site, bare="{% macro token() %}{{ csrf_token }}{% endmacro %}")
    with pytest.raises(jinja2.UndefinedError, match="no CSRF middleware"):
        text_of(site, "{% from 'bare.html' import token %}{{ token() }}")


@pytest.mark.parametrize("used", ["flashes()", "csrf_token", "request.path", "url_for('page')"])
def test_the_top_level_of_an_imported_template_has_no_request(site: Application, used: str) -> None:
    """It runs once: what it reads of one request would be shown to the visitors of all others."""
    write(site, top=f"{{% set value = {used} ~ '' %}}{{% macro shown() %}}{{{{ value }}}}{{% endmacro %}}")
    with pytest.raises(RuntimeError, match="runs once for all requests"):
        text_of(site, "{% from 'top.html' import shown %}{{ shown() }}")
    if used == "request.path":
        assert text_of(site, "{% from 'top.html' import shown with context %}{{ shown() }}") == "/"


def test_a_template_without_a_current_request(site: Application) -> None:
    write(site, macros=MACROS)
    template = site.templates.environment.from_string("{% from 'macros.html' import link %}{{ link() }}")
    with pytest.raises(RuntimeError, match=r"not rendered by render\(\)"):
        template.render()


def test_a_page_that_is_rendered_inside_of_another(site: Application) -> None:
    """Each page has its own request, also between two chunks of a streamed one."""
    write(site, macros=MACROS, page="{% from 'macros.html' import path %}{% for n in [1, 2] %}{{ path() }}{% endfor %}")
    outer = site.templates.chunks(asking(site, path="/outer", query_string=b"a=1"), "page.html")
    assert next(outer) == "/outer 1"
    assert site.templates.render(asking(site, path="/inner", query_string=b"a=2"), "page.html") == "/inner 2" * 2
    assert next(outer) == "/outer 1"
