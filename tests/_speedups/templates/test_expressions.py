"""Each kind of expression in both engines; random ones are in tests/templates/test_same_as_jinja2.py."""

from __future__ import annotations

from typing import Any

import jinja2
import pytest
from markupsafe import Markup

from atlas._speedups.templates.expressions import Constant, Filter, Local
from atlas.templates import Environment

VALUES = {"a": "<a>", "n": 4, "m": Markup("<m>"), "rows": [3, 1, 2], "d": {"k": 1}, "f": lambda *a, **k: f"{a}{k}"}
EXPRESSIONS = [
    "a", "missing", "a.upper()", "d.k", "d['k']", "d.keys", "rows[1]", "rows[0:2]", "n + 1 - 2 * 3 / 4 // 5 % 6", "-n",
    "+n", "not n", "n ** 2", "n and 0 or a", "n < 5 <= 5", "1 < n < 3 < missing.x", "n == 4", "n != 4", "n in rows",
    "n not in rows", "n >= 4 and n > 3", "a if n else m", "a if not n", "a ~ n ~ m", "[n, a]", "(n, a)", "(n,)",
    "{'x': n, n: a}", "f(1, *rows, **d)", "f(1, x=n)", "f()", "a|upper", "a|default('x')", "missing|default('x')",
    "''|d('x', true)", "missing|d", "rows|length", "rows|sort|join(a)", "a|replace('a', n)", "m|upper", "n|upper",
    "A|lower", "a is defined", "missing is defined", "missing is undefined", "none is none", "n is divisibleby 2",
    "n is sameas n", "'%s %%' % n", "'%(x)s' % {'x': a}", "m % {}", "rows|map('string')|list", "a|e", "a|safe", "m|e",
]  # fmt: skip


@pytest.mark.parametrize("expression", EXPRESSIONS)
@pytest.mark.parametrize("autoescape", [True, False])
def test_an_expression_prints_the_same(expression: str, autoescape: bool) -> None:
    source = f"{{{{ {expression} }}}}|{{% if {expression} %}}true{{% endif %}}"
    results = []
    for kind in (jinja2.Environment, Environment):
        environment = kind(autoescape=autoescape)
        try:
            results.append(environment.from_string(source).render(VALUES))
        except Exception as error:
            results.append(f"{type(error)}{error}")
    assert results[0] == results[1]


@pytest.mark.parametrize("text", ["%(x)s", "a %(x)s b %(y)s %%", "100%%", "%(x)d", "%(x", "%s", "%(z)s", "\0%(x)s", ""])
@pytest.mark.parametrize("value", ["<v>", Markup("<v>"), 5, None])
def test_a_format_is_filled_as_by_markupsafe(text: str, value: Any) -> None:
    results = []
    for kind in (jinja2.Environment, Environment):
        template = kind(autoescape=True).from_string("{% for t in texts %}{{ t % {'x': v, 'y': v} }}{% endfor %}")
        try:
            results.append(template.render(texts=[Markup(text)] * 2, v=value))
        except Exception as error:
            results.append(f"{type(error)}{error}")
    assert results[0] == results[1]


def test_an_own_filter_takes_the_place_of_a_shortcut() -> None:
    environment = Environment()
    template = environment.from_string("{{ a|upper }}{{ a is defined }}{{ rows|length }}")
    assert template.render(VALUES) == "<A>True3"
    environment.filters["upper"] = lambda value: f"own {value}"
    environment.tests["defined"] = lambda value: "own"
    environment.filters["length"] = lambda value: "own"
    assert template.render(VALUES) == "own <a>ownown"


def test_a_list_is_made_anew_each_time() -> None:
    template = Environment(extensions=["jinja2.ext.do"]).from_string(
        "{% for n in rows %}{{ f([]) }}{{ f({}) }}{% endfor %}"
    )
    seen: list[Any] = []
    template.render(rows=[1, 2], f=lambda value: seen.append(value) or value.__class__.__name__)
    assert len({id(each) for each in seen}) == 4


def test_wrong_parts_are_refused() -> None:
    with pytest.raises(TypeError):
        Filter("filters", "upper", "", None)  # type: ignore[arg-type]
    with pytest.raises(KeyError):
        from atlas._speedups.templates.expressions import Binary

        Binary("<>", Constant(1), Local(0, "a"))
