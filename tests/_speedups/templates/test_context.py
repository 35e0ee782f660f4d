from __future__ import annotations

from collections import ChainMap
from typing import Any

import jinja2
import pytest
from jinja2.utils import missing

from atlas._speedups.templates.context import (
    Chunks,
    RenderFunction,
    extend,
    load,
    new_context,
    render_block,
    render_included,
    render_page,
    render_template,
    resolve,
    resolve_all,
)
from atlas.templates import Context, Environment

ENVIRONMENT = Environment()


def context(values: dict[str, Any], **options: Any) -> Any:
    names = ("name", "blocks", "shared", "global_variables", "local_variables")
    given = {
        "name": "page",
        "blocks": {},
        "shared": False,
        "global_variables": None,
        "local_variables": None,
        **options,
    }
    name, blocks, shared, global_variables, local_variables = (given[each] for each in names)
    return new_context(Context, ENVIRONMENT, name, blocks, values, shared, global_variables, local_variables)


def test_variables_take_precedence_over_globals() -> None:
    made = context({"a": 1}, global_variables=ChainMap({"b": 2}, {"a": 0, "b": 0, "c": 3}))
    assert made.parent == {"a": 1, "b": 2, "c": 3}
    assert list(made.parent) == list(dict(ChainMap({"b": 2}, {"a": 0, "b": 0, "c": 3}), a=1))
    assert made.globals_keys == {"a", "b", "c"}


def test_what_the_template_sets_takes_precedence() -> None:
    made = context({"a": 1})
    made.vars["a"] = 2
    assert resolve(made, "a") == made.resolve_or_missing("a") == 2
    assert resolve_all(made, ("a", "b")) == (2, missing)
    assert made.get_all() == {"a": 2}
    assert made.parent == {"a": 1}


def test_shared_variables_are_not_changed_by_local_ones() -> None:
    values = {"a": 1}
    assert context(values, shared=True).parent is values
    made = context(values, shared=True, local_variables={"b": 2, "c": missing})
    assert made.parent == {"a": 1, "b": 2}
    assert values == {"a": 1}


def test_names_are_text() -> None:
    with pytest.raises(TypeError, match="keywords must be strings"):
        context({1: 2})  # type: ignore[dict-item]


def test_what_is_used_rarely_is_made_when_it_is_used() -> None:
    function = RenderFunction(lambda context, out: out.append("x"))
    made = context({}, blocks={"title": function})
    assert made.blocks == {"title": [function]}
    assert made.exported_vars == set()
    assert made.eval_ctx is made.eval_ctx
    assert made.eval_ctx.autoescape is False


def test_globals_that_another_template_has_too() -> None:
    shared: dict[str, Any] = {"a": 1}
    made = context({}, global_variables=ChainMap({}, shared))
    assert made.has_globals_of(ChainMap({}, shared))
    assert made.has_globals_of(ChainMap({"b": 1}, shared))
    assert not made.has_globals_of(ChainMap({}, {"a": 1}))
    assert not context({}, global_variables=ChainMap({"b": 1}, shared)).has_globals_of(ChainMap({}, shared))
    assert not made.has_globals_of({})


def test_a_function_renders_into_a_list_or_returns_what_it_rendered() -> None:
    function = RenderFunction(lambda context, out: out.extend(["a", "b"]))
    assert render_page(function, None) == "ab"
    result = function(None)
    assert isinstance(result, Chunks)
    assert result == ["a", "b"]
    result.close()


def raises_stop(_context: object, _out: list[str]) -> None:
    raise StopIteration


@pytest.mark.parametrize("call", [lambda function: function(None), lambda function: render_page(function, None)])
def test_stop_iteration_is_replaced_as_in_a_generator(call: Any) -> None:
    with pytest.raises(RuntimeError, match="generator raised StopIteration"):
        call(RenderFunction(raises_stop))


def test_blocks_of_both_engines() -> None:
    made = context({"x": "<x>"})
    closed: list[bool] = []

    def generator(context: Any) -> Any:
        try:
            yield "generator "
            yield context["x"]
        finally:
            closed.append(True)

    made.blocks = {"one": [RenderFunction(lambda context, out: out.append(context["x"]))], "two": [generator]}
    out: list[str] = []
    render_block(made, "one", out)
    render_block(made, "two", out)
    render_block(made, "one", out, {"x": "inner"})
    assert out == ["<x>", "generator ", "<x>", "inner"]
    assert closed == [True]


def test_extended_and_included_templates() -> None:
    parent = ENVIRONMENT.from_string("{% block title %}parent {{ a }}{% endblock %}")
    made = context({"a": 1}, blocks={"title": "child"})
    extend(made, parent)
    assert made.blocks == {"title": ["child", parent.blocks["title"]]}
    out: list[str] = []
    render_template(parent, context({"a": 2}, blocks=parent.blocks), out)
    render_included(jinja2.Template("included {{ a }}{{ b }}"), made, {"b": 3}, out)
    assert "".join(out) == "parent 2included 13"


def test_a_template_of_the_cache_is_found() -> None:
    sources = {"part": "part"}
    environment = Environment(loader=jinja2.DictLoader(sources))
    template = load(environment, "part", None)
    assert load(environment, "part", "page") is template
    assert load(environment, template, "page") is template
    sources["part"] = "changed"
    assert load(environment, "part", "page").render() == "changed"
    with pytest.raises(jinja2.TemplateNotFound):
        load(environment, "absent", "page")
    small = Environment(loader=jinja2.DictLoader(sources), cache_size=1)
    assert load(small, "part", None) is load(small, "part", None)
    without = Environment(loader=jinja2.DictLoader(sources), cache_size=0)
    assert load(without, "part", None) is not load(without, "part", None)


def test_an_own_way_to_find_templates_is_used() -> None:
    class Relative(Environment):
        def join_path(self, template: str, parent: str) -> str:
            return f"{parent}/{template}"

    assert load(Relative(loader=jinja2.DictLoader({"a/b": "found"})), "b", "a").render() == "found"
