from typing import Any

import pytest

from atlas.web.routing.converters import find_converter
from atlas.web.routing.patterns import REST, parse_pattern


def test_the_parts_of_a_pattern() -> None:
    pattern = parse_pattern("/städte/{name}/{year:int}")
    assert pattern.parts == [b"/", "städte".encode(), b"/", find_converter("string"), b"/", find_converter("int")]
    assert [parameter.name for parameter in pattern.parameters] == ["name", "year"]
    assert pattern.shape == ("", "städte", 100, 1)
    assert pattern.fill({"name": "köln", "year": 2026}) == "/st%C3%A4dte/k%C3%B6ln/2026"


@pytest.mark.parametrize(
    ("text", "parts"), [("/", [b"/", REST]), ("/a", [b"/", b"a", b"/", REST]), ("/a/", [b"/", b"a", b"/", REST])]
)
def test_a_pattern_that_takes_the_rest(text: str, parts: list[Any]) -> None:
    pattern = parse_pattern(text, rest="path")
    assert pattern.parts == parts
    assert pattern.parameters == ()
    assert pattern.fill({"path": "/x y/z"}) == text.rstrip("/") + "/x%20y/z"


def test_duplicate_names() -> None:
    with pytest.raises(ValueError, match="two parameters have the same name"):
        parse_pattern("/{path}", rest="path")
