"""Random templates give the same result in Jinja2 and in Atlas: text, or exception with message and lines."""

from __future__ import annotations

import re
from collections.abc import Iterator
from random import Random
from typing import Any

import jinja2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markupsafe import Markup

from atlas.templates import Environment
from tests.templates.pages import TEMPLATES, TemplateWriter, variables

UNDEFINED = [jinja2.Undefined, jinja2.StrictUndefined, jinja2.ChainableUndefined, jinja2.DebugUndefined]
AUTOESCAPE = [True, False, jinja2.select_autoescape(default=True), jinja2.select_autoescape(default=False)]


# Python names the function in an error for "**value" of another type: the one function of the engine that calls.
ADDRESSES = re.compile(r"at 0x[0-9a-f]+")
CALLS = re.compile(r"[\w.]+\.call\(\)")


def own(value: object) -> object:
    return Markup(f"<own>{value}</own>")


def result(kind: type[jinja2.Environment], page: str, undefined: Any, autoescape: Any) -> tuple[object, ...]:
    """The text of a page, or the exception with its message and the lines of the templates that it passed."""
    extensions = ["jinja2.ext.do", "jinja2.ext.i18n"]
    loader = jinja2.DictLoader({**TEMPLATES, "page.html": page})
    environment = kind(loader=loader, undefined=undefined, autoescape=autoescape, extensions=extensions)
    environment.filters["own"] = own
    environment.install_null_translations(newstyle=True)  # type: ignore[attr-defined]
    try:
        return ("text", ADDRESSES.sub("at", environment.get_template("page.html").render(variables())))
    except RecursionError:
        return ("recursion",)
    except Exception as error:
        if "generator raised StopIteration" in str(error):
            return (type(error), str(error))  # Jinja2's traceback ends at the block, that of Atlas in it
        lines = list(template_lines(error)) if not isinstance(error, jinja2.TemplateSyntaxError) else [error.lineno]
        return (type(error), ADDRESSES.sub("at", CALLS.sub("call", str(error))), lines)


def template_lines(error: BaseException) -> Iterator[tuple[str, int, str]]:
    trace = error.__traceback__
    while trace is not None:
        if "__jinja_exception__" in trace.tb_frame.f_globals:
            code = trace.tb_frame.f_code
            yield code.co_filename, trace.tb_lineno, code.co_name
        trace = trace.tb_next


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@pytest.mark.filterwarnings("ignore::SyntaxWarning")
@given(st.randoms(use_true_random=False), st.sampled_from(UNDEFINED), st.sampled_from(AUTOESCAPE))
def test_a_random_template_gives_the_same(random: Random, undefined: Any, autoescape: Any) -> None:
    page = TemplateWriter(random).page()
    expected = result(jinja2.Environment, page, undefined, autoescape)
    assert result(Environment, page, undefined, autoescape) == expected, page
