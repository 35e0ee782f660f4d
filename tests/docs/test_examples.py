"""The code of the documentation runs, with the results that the pages show."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, blocks_of, chapters, pages
from tests.docs.running import Page, forget_modules

# The number of blocks and commands that are not run, by page. The reasons are in the page or in tests/docs/console.py.
NOT_RUN = {"docs/installation.md": 3, "docs/serving.md": 1}

# Pages whose commands are not run.
COMMANDS_ELSEWHERE = {
    "README.md": "they need applications of the reader; docs/serving.md has similar ones that are run"
}

# Pages that need a process of their own.
ALONE = {"docs/guides/django.md": "Django is configured once in a process"}


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    """A runner in a temporary folder, without environment variables of Atlas."""
    for name in [each for each in os.environ if each.startswith("ATLAS_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])  # the first one is the current folder of the page
    yield Page(tmp_path)
    forget_modules(tmp_path)


def short(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", pages(), ids=short)
def test_a_page(page: Page, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if short(path) in ALONE and not os.environ.get("TEST_DOCS_ALONE"):
        monkeypatch.setenv("TEST_DOCS_ALONE", "1")
        test = f"{Path(__file__).relative_to(ROOT)}::test_a_page[{short(path)}]"
        done = subprocess.run([sys.executable, "-m", "pytest", "-q", test], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout
        return
    for block in blocks_of(path):
        if block.language != "console" or short(path) not in COMMANDS_ELSEWHERE:
            page.run(block)
    page.finish()
    assert len(page.skipped) == NOT_RUN.get(short(path), 0), page.skipped
    assert all(reason for _, reason in page.skipped)


def test_the_tutorial(page: Page) -> None:
    """All chapters in one folder."""
    for path in chapters():
        for block in blocks_of(path):
            page.run(block)
    page.finish()
    assert len(page.skipped) == NOT_RUN.get("docs/tutorial", 0), page.skipped
