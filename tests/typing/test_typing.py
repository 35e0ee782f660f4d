"""The public API through the eyes of type checkers: what editors show to those who write against it."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import atlas

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
FILES = sorted(path for path in HERE.glob("*.py") if not path.name.startswith("test_"))


def check(*command: str) -> None:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_mypy_strict() -> None:
    # Silent about what is imported: that is checked by itself, with the settings of the project.
    options = ["--strict", "--follow-imports=silent", "--python-version=3.11", "--no-error-summary", "--config-file="]
    check(sys.executable, "-m", "mypy", *options, *(str(path) for path in FILES))


@pytest.mark.slow
def test_pyright() -> None:
    pytest.importorskip("pyright")
    check(sys.executable, "-m", "pyright", "--pythonpath", sys.executable, *(str(path) for path in FILES))


def test_every_public_name_is_used() -> None:
    used: set[str] = set()
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module == "atlas":
                used |= {alias.name for alias in node.names}
            elif isinstance(node, ast.Attribute):
                used.add(node.attr)
    assert set(atlas.__all__) - used == set()
