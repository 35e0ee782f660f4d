from __future__ import annotations

import jinja2
import pytest

from atlas.templates import Environment
from atlas.templates.runtime import LoopContext, Macro, find_function, unpacker


def test_loops_and_macros_are_those_of_jinja2() -> None:
    assert issubclass(LoopContext, jinja2.runtime.LoopContext)
    assert issubclass(Macro, jinja2.runtime.Macro)
    template = Environment().from_string("{% macro m(x, y=2) %}{{ x }}{% endmacro %}")
    macro = template.module.m  # type: ignore[attr-defined]
    assert isinstance(macro, jinja2.runtime.Macro)
    assert (macro.name, macro.arguments, macro(5)) == ("m", ("x", "y"), "5")


def test_a_macro_of_atlas_in_a_template_of_jinja2() -> None:
    macro = Environment(autoescape=True).from_string("{% macro m(x) %}<{{ x }}>{% endmacro %}").module.m  # type: ignore[attr-defined]
    assert jinja2.Environment(autoescape=True).from_string("{{ m('&') }}").render(m=macro) == "<&amp;>"
    assert jinja2.Environment().from_string("{{ m('&')|e }}").render(m=macro) == "&lt;&amp;amp;&gt;"


def test_a_missing_filter_fails_when_it_is_called() -> None:
    environment = Environment()
    assert find_function(environment, "filters", "upper") is environment.filters["upper"]
    with pytest.raises(jinja2.TemplateRuntimeError, match=r"No test named 'nothing' found\."):
        find_function(environment, "tests", "nothing")(1)


def test_values_are_unpacked_with_the_exceptions_of_python() -> None:
    assert unpacker(2)("ab") == ("a", "b")
    assert unpacker(1)([1]) == (1,)
    with pytest.raises(ValueError, match=r"too many values to unpack \(expected 2\)"):
        unpacker(2)("abc")
    with pytest.raises(TypeError, match="cannot unpack non-iterable int object"):
        unpacker(2)(1)
