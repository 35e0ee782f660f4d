import asyncio
import warnings
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jinja2
import pytest

from atlas import Application, render
from atlas.web.templates.environment import Environment
from tests.web.templates.pages import asking, text_of, write


async def name() -> str:
    return "Ada"


async def numbers() -> AsyncIterator[int]:
    yield 1


class User:
    @property
    def posts(self) -> Any:
        return name()

    async def is_admin(self) -> bool:
        return False


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("{{ name() }}", r"name\(\) is 'async def'"),
        ("{{ coroutine }}", r"name\(\) is 'async def'"),
        ("{{ user.posts }}", r"name\(\) is 'async def'"),
        ("{% if user.is_admin() %}admin{% endif %}", r"User.is_admin\(\) is 'async def'"),
        ("{% set x = name() %}", r"name\(\) is 'async def'"),
        ("{{ name() | upper }}", r"name\(\) is 'async def'"),
        ("{{ numbers() }}", r"numbers\(\) is 'async def'"),
        ("{% macro m() %}{{ coroutine }}{% endmacro %}{{ m() }}", r"name\(\) is 'async def'"),
        ("{{ future }}", "a value of type Future is not awaited"),
    ],
)
def test_an_awaitable_is_an_error_that_names_it(site: Application, source: str, words: str) -> None:
    loop = asyncio.new_event_loop()
    coroutine = name()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(TypeError, match=words) as caught:
            text_of(
                site,
                f"\n{source}",
                name=name,
                coroutine=coroutine,
                user=User(),
                numbers=numbers,
                future=loop.create_future(),
            )
        coroutine.close()
    loop.close()
    assert f"line 2: {source}" in caught.value.__notes__[0]


def test_a_value_by_name_is_not_awaited_by_templates_that_await() -> None:
    """Jinja2 awaits the results of calls and attributes, and no names."""
    template = Environment(enable_async=True).from_string("{{ coroutine }}")

    async def rendered() -> str:
        return await template.render_async(coroutine=name())

    with pytest.raises(TypeError, match="not awaited"):
        asyncio.run(rendered())


def test_values_of_all_other_types_are_printed(site: Application) -> None:
    values = ["<b>", 1, 1.5, None, True, [1], User]
    assert text_of(site, "{% for v in values %}{{ v }};{% endfor %}", values=values).startswith(
        "&lt;b&gt;;1;1.5;None;True;[1];&lt;class"
    )


def test_an_option_replaces_a_default() -> None:
    environment = Environment(autoescape=False, undefined=jinja2.Undefined, finalize=lambda value: str(value).upper())
    assert environment.from_string("{{ x }}{{ missing }}").render(x="<b>") == "<B>"


def test_globals_are_those_of_the_rendering() -> None:
    """A global that is added later counts; those of a template precede, and the variables precede both."""
    environment = Environment()
    template = environment.from_string("{{ a }}{{ b }}{{ c }}", {"b": "template", "c": "template"})
    environment.globals.update(a="environment", b="environment", c="environment")
    assert template.render(c="variable") == "environmenttemplatevariable"
    assert template.new_context({"c": "variable"}, shared=True).get_all() == {"c": "variable"}
    assert template.new_context(None, locals={"b": "local"})["b"] == "local"


def test_an_overlay_keeps_its_own_blocks(site: Application) -> None:
    write(site, page="{% block main %}{{ x }}{% endblock %}")
    request = asking(site)
    for content_type, text in (("text/html", "&lt;"), ("text/plain", "<"), ("text/html", "&lt;")):
        assert site.templates.render(request, "page.html", {"x": "<"}, "main", content_type=content_type) == text


def test_many_blocks_are_bounded() -> None:
    loader = jinja2.FunctionLoader(lambda name: "{% block main %}" + name + "{% endblock %}")
    environment = Environment(loader=loader)
    for number in range(450):
        template = environment.get_block_template(str(number))
        assert "main" in template.blocks
    assert len(environment._block_templates) <= 400


def test_a_page_prints_its_variables(site: Application) -> None:
    write(site, page="{{ x }}")
    assert render(asking(site), "page.html", {"x": 1}).body == b"1"


def test_compiled_templates_are_kept_on_the_disk_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATLAS_TEMPLATE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "page.html").write_text("{{ a }}")
    environment = Environment(loader=jinja2.FileSystemLoader(tmp_path))
    assert environment.get_template("page.html").render(a="<") == "&lt;"
    assert len(list((tmp_path / "cache").iterdir())) == 1
    monkeypatch.setenv("ATLAS_TEMPLATE_CACHE", "off")
    assert Environment().bytecode_cache is None
