from __future__ import annotations

from typing import Any

import jinja2
import pytest
from markupsafe import Markup

from atlas._speedups.templates.calling import MacroFunction, call, print_call
from atlas.templates import Environment

ENVIRONMENT = Environment(autoescape=True)


def context(**values: Any) -> Any:
    return ENVIRONMENT.from_string("").new_context(values)


@jinja2.pass_context
def with_context(context: Any, *args: Any) -> Any:
    return context["a"], args


@jinja2.pass_eval_context
def with_evaluation(evaluation: Any, *args: Any) -> Any:
    return evaluation.autoescape, args


@jinja2.pass_environment
def with_environment(environment: Any, *args: Any) -> Any:
    return environment, args


class CallableWithContext:
    @jinja2.pass_context
    def __call__(self, context: Any, *args: Any) -> Any:
        return context["a"], args

    @jinja2.pass_context
    def method(self, context: Any) -> Any:
        return context["a"]


def test_functions_get_what_they_ask_for() -> None:
    made = context(a=1)
    assert call(made, with_context, 2) == (1, (2,))
    assert call(made, with_evaluation, 2) == (True, (2,))
    assert call(made, with_environment, 2) == (ENVIRONMENT, (2,))
    assert call(made, CallableWithContext(), 2) == (1, (2,))
    assert call(made, CallableWithContext().method) == 1
    assert call(made, len, [1]) == 1
    assert call(made, dict, self=1, context=2) == {"self": 1, "context": 2}
    assert call(made, lambda *args, **kwargs: (args, kwargs), 1, b=2) == ((1,), {"b": 2})


def test_stop_iteration_is_an_undefined_value() -> None:
    result = call(context(), next, iter([]))
    assert isinstance(result, jinja2.Undefined)
    with pytest.raises(jinja2.UndefinedError, match="value was undefined because a callable raised a StopIteration"):
        result.name  # noqa: B018


def test_awaitable_results_are_checked() -> None:
    async def work() -> None: ...

    environment = Environment()
    refused: list[Any] = []
    environment.check_awaitable = refused.append
    made = environment.from_string("").new_context({})
    assert call(made, int) == 0
    result = call(made, work)
    assert refused == [result]
    result.close()


def macro(arguments: tuple[str, ...], *flags: bool) -> MacroFunction:
    def function(*given: Any) -> None:
        given[-1].append(repr(given[:-1]))

    return MacroFunction(ENVIRONMENT, function, "m", arguments, *flags, default_autoescape=False)


def jinja_macro(arguments: tuple[str, ...], *flags: bool) -> Any:
    kind: Any = jinja2.runtime.Macro
    return kind(ENVIRONMENT, lambda *given: repr(given), "m", arguments, *flags, False)


def outcome(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> object:
    try:
        return function(*args, **kwargs)
    except TypeError as error:
        return str(error)


CALLS: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    ((), {}),
    ((1,), {}),
    ((1, 2), {}),
    ((1, 2, 3), {}),
    ((1,), {"b": 2}),
    ((), {"b": 2, "c": 3}),
    ((1, 2), {"caller": len}),
    ((), {"caller": len}),
]


@pytest.mark.parametrize(("args", "kwargs"), CALLS)
@pytest.mark.parametrize("arguments", [(), ("a", "b"), ("a", "caller")])
@pytest.mark.parametrize(
    "flags", [(False, False, False), (True, False, True), (False, True, False), (True, True, True)]
)
def test_arguments_are_bound_as_in_jinja2(args: Any, kwargs: Any, arguments: Any, flags: Any) -> None:
    expected = outcome(jinja_macro(arguments, *flags), args, dict(kwargs))
    assert outcome(macro(arguments, *flags), args, dict(kwargs)) == expected


def test_the_caller_decides_whether_the_result_is_safe() -> None:
    function = macro(("a",), False, False, False)
    assert type(function(1)) is str
    assert type(call(context(), function, 1)) is Markup
    assert function.name == "m"
    assert repr(function) == "<MacroFunction 'm'>"


def test_a_call_is_printed_into_the_list() -> None:
    out: list[Any] = []
    print_call(out, context(), macro(("a",), False, False, False), 1)
    print_call(out, context(), str.upper, "x")
    print_call(out, context(), lambda: None)
    assert out == ["(1,)", "X", None]


TRANSLATED = [
    "{% trans %}Hello 100%{% endtrans %}",
    "{% trans name=a, other=m %}Hello {{ name }}, {{ other }} %(x)s{% endtrans %}",
    "{% trans n %}one{% pluralize %}{{ n }} of {{ num }}{% endtrans %}",
    "{{ gettext('%(a)s', a=a) }}{{ ngettext('one', '%(num)s %(a)s', n, a=m) }}{{ gettext('%(missing)s') }}",
    "{{ pgettext('menu', '%(context)s <%(a)s>', a=a) }}{{ npgettext('menu', '1', '%(num)s %(context)s', n) }}",
    "{{ _('%(x)s') }}{{ gettext() }}",
]


@pytest.mark.parametrize("source", TRANSLATED)
@pytest.mark.parametrize("newstyle", [True, False])
@pytest.mark.parametrize("autoescape", [True, False])
def test_translations_are_those_of_jinja2(source: str, newstyle: bool, autoescape: bool) -> None:
    results = []
    for kind in (jinja2.Environment, Environment):
        environment: Any = kind(autoescape=autoescape, extensions=["jinja2.ext.i18n"])
        environment.install_null_translations(newstyle=newstyle)
        try:
            results.append(environment.from_string(source).render(a="<a>", m=Markup("<m>"), n=2))
        except Exception as error:
            results.append(f"{type(error)} {error}")
    assert results[0] == results[1]
