"""Fixtures for commands that import an application from the folder that they run in."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from atlas.cli.program import execute

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder to be in; what is imported from it is forgotten afterwards, and no variable sets anything."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in [name for name in os.environ if name.startswith("ATLAS_")]:
        monkeypatch.delenv(name)
    kept = {name: sys.modules.pop(name) for name in ("main", "settings") if name in sys.modules}
    yield tmp_path
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]
    sys.modules.update(kept)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """``run("routes", "main:app")``: exit status, what was written to stdout and to stderr."""

    def run_once(*arguments: str) -> tuple[int, str, str]:
        status = execute(arguments)
        written = capsys.readouterr()
        return status, written.out, written.err

    return run_once
