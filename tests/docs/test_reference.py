"""The reference has every public name."""

from __future__ import annotations

import re

import atlas
import atlas.testing
from tests.docs.pages import ROOT

IN_PROSE = {"atlas.__version__"}
ALIASES = {"atlas.PlainTextResponse": "atlas.TextResponse"}


def documented() -> set[str]:
    pages = (ROOT / "docs" / "reference").glob("*.md")
    return {name for page in pages for name in re.findall(r"^::: ([\w.]+)$", page.read_text("utf-8"), re.MULTILINE)}


def test_every_public_name_of_atlas() -> None:
    missing = {f"atlas.{name}" for name in atlas.__all__} - documented() - IN_PROSE - set(ALIASES)
    assert missing == set()
    for name, other in ALIASES.items():
        assert getattr(atlas, name.partition(".")[2]) is getattr(atlas, other.partition(".")[2])


def test_every_public_name_of_atlas_testing() -> None:
    here = {f"atlas.testing.{name}" for name in atlas.testing.__all__}
    also = {f"atlas.testing.{name}" for name in atlas.testing.__all__ if name in atlas.__all__}
    assert here - also - documented() == set()


def test_every_public_name_has_a_docstring() -> None:
    missing = [name for name in atlas.__all__ if name != "__version__" and not getattr(atlas, name).__doc__]
    assert missing == []


def test_nothing_is_documented_twice() -> None:
    pages = (ROOT / "docs" / "reference").glob("*.md")
    names = [name for page in pages for name in re.findall(r"^::: ([\w.]+)$", page.read_text("utf-8"), re.MULTILINE)]
    assert sorted(names) == sorted(set(names))
