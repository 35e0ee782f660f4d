from __future__ import annotations

import pytest

from atlas.templates import Environment


def plans(source: str, **options: bool) -> str:
    """The plans of a template, as Python."""
    environment = Environment(extensions=["jinja2.ext.do", "jinja2.ext.loopcontrols"], **options)  # type: ignore[arg-type]
    code = environment.compile(source, raw=True)
    return "\n".join(line for line in code.splitlines() if line.startswith("plan_"))


@pytest.mark.parametrize(
    "source",
    [
        "a{{ b }}c",
        "{% for x in xs if x.y %}{{ loop }}{% else %}none{% endfor %}".replace("{{ loop }}", "{{ x }}"),
        "{% for k, (v, w) in xs %}{{ k }}{{ loop.index }}{% for x in v %}{{ loop.last }}{% endfor %}{% endfor %}",
        "{% if a %}{{ b|upper }}{% elif c is defined %}{{ f(1, x=2) }}{% else %}{{ d ~ e }}{% endif %}",
        "{{ a.b['c'][0] }}{{ [1, a] }}{{ {'k': a} }}{{ a < b < c }}{{ a if b }}{{ not a }}",
    ],
)
def test_what_prints_decides_and_repeats_is_one_plan(source: str) -> None:
    assert plans(source).startswith("plan_0 = Plan(")
    assert "plan_1" not in plans(source)


@pytest.mark.parametrize(
    "source",
    [
        "{{ a[1:2] }}",
        "{{ f(*a) }}",
        "{{ f(**a) }}",
        "{% for x in xs recursive %}{% endfor %}",
        "{% for x in xs %}{% set y = x %}{% endfor %}",
        "{% for x in xs if x %}{{ loop.last }}{% endfor %}".replace("{{ loop.last }}", "{% do f(loop) %}"),
        "{% for x, x in xs %}{% break %}{% endfor %}",
        "{% include a %}",
    ],
)
def test_the_rest_is_python(source: str) -> None:
    assert plans(source) == ""


def test_parts_around_what_is_python() -> None:
    made = plans("{{ a }}{% set b = 1 %}{{ b }}{% for x in xs %}{{ x }}{% do f() %}{{ x }}{% endfor %}")
    assert made.count(" = Plan(") == 4


def test_more_variables_than_slots() -> None:
    source = "".join(f"{{{{ v{number} }}}}" for number in range(40))
    values = {f"v{number}": number for number in range(40)}
    assert Environment().from_string(source).render(values) == "".join(map(str, range(40)))


def test_names_of_two_loops_are_apart() -> None:
    source = "{% for x in xs %}{{ x }}{{ y }}{% endfor %}{% for y in xs %}{{ x }}{{ y }}{% endfor %}{{ x }}{{ y }}"
    assert Environment().from_string(source).render(xs=[1, 2], x="x", y="y") == "1y2yx1x2xy"
