from __future__ import annotations

import gc
import subprocess
import sys
import weakref
from typing import Any

import jinja2
import pytest
from jinja2.sandbox import SandboxedEnvironment, SecurityError

from atlas._speedups.templates.context import RenderFunction
from atlas.templates import Environment, Template
from atlas.templates.environment import is_accelerated

PAGES = {
    "layout": "<{% block main %}{% endblock %}>",
    "page": "{% extends 'layout' %}{% block main %}{{ a }}{% for n in numbers %}{{ n }},{% endfor %}{% endblock %}",
}


def is_fast(environment: jinja2.Environment) -> bool:
    template = environment.from_string("{{ a }}")
    assert isinstance(template.root_render_func, RenderFunction) is is_accelerated(environment)
    return is_accelerated(environment)


class OwnLookup(Environment):
    def getattr(self, obj: Any, attribute: str) -> Any:
        return f"own {attribute}"


class Sandboxed(SandboxedEnvironment, Environment):
    pass


def test_environments_that_need_other_code() -> None:
    assert is_fast(Environment())
    assert not is_fast(OwnLookup())
    assert not is_fast(Sandboxed())
    assert not is_fast(Environment(enable_async=True))
    assert not is_fast(Environment().overlay(enable_async=True))
    assert not is_accelerated(jinja2.Environment())
    other_context = Environment()
    other_context.context_class = jinja2.runtime.Context  # type: ignore[assignment]
    assert not is_fast(other_context)
    own_joining = Environment()
    own_joining.concat = lambda pieces: "|".join(pieces)  # type: ignore[method-assign, misc, assignment]
    assert not is_fast(own_joining)
    assert own_joining.from_string("{{ 1 }}{{ a }}").render(a=2) == "1|2"


def test_environments_with_other_code_work() -> None:
    assert OwnLookup().from_string("{{ a.b }}").render() == "own b"
    with pytest.raises(SecurityError):
        Sandboxed().from_string("{{ a.__class__.__mro__ }}").render(a=1)

    async def work() -> str:
        return "awaited"

    assert Environment(enable_async=True).from_string("{{ work() }}").render(work=work) == "awaited"


def test_it_takes_the_place_of_the_one_of_jinja2() -> None:
    assert issubclass(Environment, jinja2.Environment)
    template = Environment(loader=jinja2.DictLoader(PAGES)).get_template("page")
    assert isinstance(template, Template)
    assert template.render(a=1, numbers=[2, 3]) == "<12,3,>"
    assert Template("{{ a }}").render(a=1) == "1"
    assert Environment().compile_expression("a.b + 1")(a={"b": 1}) == 2
    assert "".join(template.root_render_func(template.new_context({"a": 1}))) == "<1>"
    assert "".join(template.blocks["main"](template.new_context({"a": 1}))) == "1"


@pytest.mark.parametrize("from_loader", [True, False])
def test_a_template_is_rendered_piece_by_piece(from_loader: bool) -> None:
    environment = Environment(loader=jinja2.DictLoader(PAGES))
    template = environment.get_template("page") if from_loader else environment.from_string(PAGES["page"])
    produced: list[int] = []

    def numbers() -> Any:
        for number in range(3):
            produced.append(number)
            yield number

    pieces = template.generate(a=1, numbers=numbers())
    assert next(pieces) == "<"
    assert produced == []
    assert next(pieces) == "1"
    assert next(pieces) == "0"
    assert produced == [0]
    assert "".join(pieces) == ",1,2,>"
    stream = template.stream(a=1, numbers=[1])
    stream.enable_buffering(2)
    assert list(stream) == ["<1", "1,", ">"]


def test_a_template_without_source_is_rendered_at_once(tmp_path: Any) -> None:
    environment = Environment()
    code = environment.compile("{{ a }}b")
    template = Template.from_code(environment, code, environment.make_globals(None))
    assert "".join(template.generate(a=1)) == "1b"


def test_compiled_templates_are_loaded(tmp_path: Any) -> None:
    environment = Environment(loader=jinja2.DictLoader(PAGES))
    environment.compile_templates(tmp_path, zip=None)
    both = jinja2.ChoiceLoader([jinja2.ModuleLoader(tmp_path), jinja2.DictLoader({"child": "{% extends 'page' %}"})])
    loaded = Environment(loader=both)
    assert loaded.get_template("child").render(a=1, numbers=[2]) == "<12,>"
    assert "".join(loaded.get_template("child").generate(a=1, numbers=[2])) == "<12,>"


def test_changed_templates_are_loaded_again() -> None:
    sources = dict(PAGES)
    environment = Environment(loader=jinja2.DictLoader(sources))
    template = environment.get_template("page")
    assert "".join(template.generate(a=1)) == template.render(a=1) == "<1>"
    sources["layout"] = "({% block main %}{% endblock %})"
    assert environment.get_template("page").render(a=1) == "(1)"
    assert "".join(environment.get_template("page").generate(a=1)) == "(1)"


def test_globals_of_a_template() -> None:
    environment = Environment(loader=jinja2.DictLoader({"part": "{% macro m() %}{{ g }}{{ h }}{% endmacro %}"}))
    environment.globals["g"] = 1
    template = environment.from_string("{% import 'part' as part %}{{ part.m() }}", {"h": 2})
    assert template.render() == "12"
    assert "".join(template.generate()) == "12"
    assert environment.from_string("{% import 'part' as part %}{{ part.m() }}").render() == "1"


def test_an_environment_is_released() -> None:
    environment = Environment(loader=jinja2.DictLoader(PAGES))
    template = environment.get_template("page")
    template.render(a=1)
    "".join(template.generate(a=1))
    seen = weakref.ref(environment)
    del environment, template
    gc.collect()
    assert seen() is None


def test_the_web_framework_is_not_imported() -> None:
    code = "import sys, atlas.templates as t; t.Template('{{ a }}').render(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"atlas.web", "atlas.gateway", "asyncio"} & set(done.stdout.split())
