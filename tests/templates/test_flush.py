from __future__ import annotations

import jinja2
import pytest

from atlas.templates import Environment
from atlas.templates.flush import FlushExtension, joined


@pytest.mark.parametrize("kind", [jinja2.Environment, Environment])
def test_pieces_end_at_a_flush(kind: type[jinja2.Environment]) -> None:
    environment = kind(extensions=[FlushExtension], autoescape=True)
    template = environment.from_string(
        "<p>{{ a }}{% flush %}{% flush %}{% for n in [1, 2] %}{{ n }}{% flush %}{% endfor %}end"
    )
    assert template.render(a="&") == "<p>&amp;12end"
    assert list(joined(template.generate(a="&"), 1000)) == ["<p>&amp;", "1", "2", "end"]


def test_a_flush_in_captured_text_prints_nothing() -> None:
    environment = Environment(extensions=[FlushExtension])
    assert environment.from_string("{% set x %}a{% flush %}b{% endset %}{{ x }}").render() == "ab"


def test_pieces_have_a_size() -> None:
    assert list(joined(iter(["ab", "cd", "e", "fghi", ""]), 4)) == ["abcd", "efghi", ""]
