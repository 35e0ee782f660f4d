"""The documentation builds without warnings, and loads nothing from other hosts."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import ROOT

pytest.importorskip("mkdocs", reason="mkdocs is not installed: pip install 'atlas-web[docs]'")
pytest.importorskip("material", reason="mkdocs-material is not installed: pip install 'atlas-web[docs]'")
pytest.importorskip("mkdocstrings", reason="mkdocstrings is not installed: pip install 'atlas-web[docs]'")

_FETCHED = re.compile(r'<(?:script|img|iframe)[^>]+src="?(https?:[^" >]+)|<link[^>]+href="?(https?:[^" >]+)')


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site."""
    folder = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert built.returncode == 0, built.stdout
    assert "WARNING" not in built.stdout
    return folder


def test_it_builds_without_a_warning(site: Path) -> None:
    assert (site / "index.html").is_file()
    assert not list(site.rglob("*.py"))


def test_nothing_is_loaded_from_other_hosts(site: Path) -> None:
    fetched = {match[0] for page in site.rglob("*.html") for match in _FETCHED.finditer(page.read_text("utf-8"))}
    assert fetched == set()


def test_no_role_or_field_is_left_in_the_reference(site: Path) -> None:
    for page in (site / "reference").glob("*.html"):
        text = re.sub(r"<[^>]+>", "", page.read_text("utf-8"))
        assert re.findall(r":(?:class|meth|func|mod|param|raises|ivar)\b.{0,30}", text) == [], page.name
