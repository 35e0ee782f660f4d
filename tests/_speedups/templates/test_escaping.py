from __future__ import annotations

import markupsafe
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from atlas._speedups.templates.escaping import escape, join_text


@given(st.text())
def test_text_is_escaped_as_by_markupsafe(text: str) -> None:
    assert escape(text) == str(markupsafe.escape(text))


@pytest.mark.parametrize("text", ["", "plain", "grün", "漢字", "😀"])
def test_text_without_special_characters_is_not_copied(text: str) -> None:
    assert escape(text) is text


@pytest.mark.parametrize("character", ["a", "ü", "漢", "😀"])
def test_each_width_of_characters(character: str) -> None:
    assert escape(f"{character}<>&\"'{character}") == f"{character}&lt;&gt;&amp;&#34;&#39;{character}"


class Html:
    def __init__(self, html: object) -> None:
        self.html = html

    def __html__(self) -> object:
        return self.html

    def __str__(self) -> str:
        return "<str>"


class Name(str):
    __slots__ = ()


class Shown:
    def __str__(self) -> str:
        return "a & b"


@pytest.mark.parametrize(
    "value",
    [1, -5, 2.5, True, None, float("nan"), Name("<n>"), Shown(), ["<"], b"<", Markup("<b>")]
    + [Html(each) for each in ("<i>", Markup("<i>"), Html("<i>"), 3)],
)
def test_any_value_is_escaped_as_by_markupsafe(value: object) -> None:
    assert escape(value) == str(markupsafe.escape(value))


def test_an_error_of_html_is_raised() -> None:
    class Broken:
        @property
        def __html__(self) -> object:
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        escape(Broken())


def test_joined_text_is_a_markup() -> None:
    joined = join_text(["<b>", "x", "</b>"])
    assert type(joined) is Markup
    assert joined == "<b>x</b>"
