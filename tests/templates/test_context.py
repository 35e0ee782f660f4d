from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jinja2
import pytest

from atlas.templates import Context, Environment


@jinja2.pass_context
def names(context: jinja2.runtime.Context) -> str:
    return ",".join(sorted(set(context.keys()) - set(context.environment.globals)))


def test_it_is_the_context_of_jinja2() -> None:
    made: Any = Environment().from_string("").new_context({"a": 1})
    assert isinstance(made, Context)
    assert isinstance(made, jinja2.runtime.Context)
    assert isinstance(made, Mapping)
    assert (made["a"], made.get("b"), "a" in made, "b" in made) == (1, None, True, False)
    assert dict(made.items())["a"] == 1
    with pytest.raises(KeyError):
        made["b"]
    assert made.derived({"b": 2})["b"] == 2


def test_a_function_sees_what_a_loop_or_block_sets() -> None:
    source = (
        "{% block main %}{% set x = 1 %}{{ names() }};{% for n in [1] %}{{ names() }}{% set y = n %}{{ names() }};"
        "{% call m() %}{{ names() }}{% endcall %}{% endfor %}{% endblock %}"
    )
    results = []
    for kind in (jinja2.Environment, Environment):
        environment = kind()
        environment.globals.update(names=names, m=lambda caller: caller())
        results.append(environment.from_string(source).render(a=1))
    assert results[0] == results[1]
    assert "x" in results[1]
    assert "y" in results[1]


def test_an_own_method_is_called() -> None:
    class Own(Context):
        def resolve_or_missing(self, key: str) -> Any:
            return f"own {key}"

    environment = Environment()
    environment.context_class = Own
    assert environment.from_string("{{ a }}{% if b %}{{ b }}{% endif %}").render() == "own aown b"
