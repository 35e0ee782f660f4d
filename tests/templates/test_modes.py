from __future__ import annotations

import logging
from typing import Any

import jinja2
import pytest

from atlas._speedups.templates.context import RenderFunction
from atlas.templates import Environment
from atlas.templates.modes import Mode, engine_mode, log_difference, values_for_two


def test_the_variable_names_an_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ATLAS_TEMPLATES", raising=False)
    assert engine_mode() is Mode.ATLAS
    monkeypatch.setenv("ATLAS_TEMPLATES", "shadow")
    assert engine_mode() is Mode.SHADOW
    monkeypatch.setenv("ATLAS_TEMPLATES", "jinja")
    with pytest.raises(ValueError, match="ATLAS_TEMPLATES: expected one of atlas, jinja2, shadow, got 'jinja'"):
        engine_mode()


def test_jinja2_is_the_way_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATLAS_TEMPLATES", "jinja2")
    template = Environment().from_string("{{ a }}{% block b %}b{% endblock %}")
    assert not isinstance(template.root_render_func, RenderFunction)
    assert template.render(a=1) == "".join(template.generate(a=1)) == "1b"


def shadow(monkeypatch: pytest.MonkeyPatch, source: str, **values: Any) -> str:
    monkeypatch.setenv("ATLAS_TEMPLATES", "shadow")
    return Environment().from_string(source).render(**values)


def test_both_engines_render_and_nothing_is_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    calls: list[int] = []
    values: dict[str, Any] = {"f": lambda: calls.append(1) or "f", "numbers": iter([1, 2])}
    assert shadow(monkeypatch, "{{ f() }}{% for n in numbers %}{{ n }}{% endfor %}", **values) == "f12"
    assert len(calls) == 2
    assert caplog.records == []


def test_a_difference_is_logged_and_jinja2_wins(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    numbers = iter(range(10))
    assert shadow(monkeypatch, "number {{ f() }}", f=lambda: next(numbers)) == "number 0"
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("atlas.templates", logging.WARNING)
    assert record.getMessage() == (
        "template '<string>': Jinja2 and Atlas differ at character 7: 'number 0', 'number 1'"
    )


def test_an_exception_of_jinja2_is_raised(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(jinja2.UndefinedError, match="'a' is undefined"):
        shadow(monkeypatch, "{{ a.b }}")
    assert caplog.records == []


def test_exceptions_and_lengths_that_differ(caplog: pytest.LogCaptureFixture) -> None:
    log_difference("a.html", "text", ValueError("broken"))
    log_difference("a.html", "text", "text and more")
    log_difference("a.html", ValueError("x"), ValueError("x"))
    first, second = (record.getMessage() for record in caplog.records)
    assert first == "template 'a.html': Jinja2 and Atlas differ text of 4 characters, ValueError: broken"
    assert second.startswith("template 'a.html': Jinja2 and Atlas differ at character 4: 'text', 'text and more'")


def test_iterators_are_read_by_both() -> None:
    first, second = values_for_two({"a": iter([1, 2]), "b": [3]})
    assert (list(first["a"]), list(second["a"]), first["b"] is second["b"]) == ([1, 2], [1, 2], True)
