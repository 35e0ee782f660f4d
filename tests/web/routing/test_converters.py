from collections.abc import Iterator
from datetime import date
from uuid import UUID

import pytest

from atlas.web.routing import converters
from atlas.web.routing.converters import Converter, converter_names, find_converter, register_converter

IDENTIFIER = "0f0e0d0c-0b0a-0908-0706-050403020100"


def converter(name: str) -> Converter:
    found = find_converter(name)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("string", "a b", "a b"),
        ("str", "a", "a"),
        ("int", "42", 42),
        ("int", "007", 7),
        ("float", "-1.5", -1.5),
        ("float", "2", 2.0),
        ("uuid", IDENTIFIER.upper(), UUID(IDENTIFIER)),
        ("date", "2026-02-28", date(2026, 2, 28)),
        ("slug", "a-b_9", "a-b_9"),
        ("path", "a/b", "a/b"),
    ],
)
def test_text_becomes_a_value(kind: str, text: str, value: object) -> None:
    assert converter(kind).parse(text) == value


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("int", "-1"),
        ("int", "+1"),
        ("int", "1_0"),
        ("int", " 1"),
        ("int", "1\n"),
        ("int", "٣"),
        ("int", "9" * 20),
        ("float", "nan"),
        ("float", "1e9"),
        ("uuid", "{" + IDENTIFIER + "}"),
        ("uuid", IDENTIFIER.replace("-", "")),
        ("date", "2026-02-30"),
        ("date", "20260228"),
        ("slug", "a b"),
        ("slug", "ä"),
    ],
)
def test_text_that_does_not_match(kind: str, text: str) -> None:
    with pytest.raises(ValueError):
        converter(kind).parse(text)


@pytest.mark.parametrize(("kind", "value"), [("int", -1), ("int", "1"), ("string", ""), ("slug", "")])
def test_values_that_cannot_be_formatted(kind: str, value: object) -> None:
    with pytest.raises(ValueError):
        converter(kind).format(value)


@pytest.fixture
def registered() -> Iterator[Converter]:
    color = Converter(lambda text: int(text, 16), lambda value: f"{value:06x}")
    register_converter("color", color)
    yield color
    del converters._CONVERTERS["color"]


def test_registered_converters(registered: Converter) -> None:
    assert find_converter("color") is registered
    assert "color" in converter_names()
    with pytest.raises(ValueError, match="taken"):
        register_converter("color", registered)


def test_a_name_is_an_identifier() -> None:
    with pytest.raises(ValueError, match="identifier"):
        register_converter("two words", Converter(str))
