"""The extension modules of the tests: their build is separate, and a missing one is named."""

from __future__ import annotations

import shutil
import subprocess
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

from tests import compiled

FOLDER = Path(compiled.__file__).parent


def imported(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "import compiled"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the package with one source, ``door.pyx``."""
    folder = tmp_path / "compiled"
    folder.mkdir()
    shutil.copy(FOLDER / "__init__.py", folder)
    (folder / "door.pyx").write_text("")
    return folder


def test_a_module_that_is_not_built_is_named_with_the_command_that_builds_it(copy: Path) -> None:
    done = imported(copy.parent)
    assert done.returncode == 1
    assert "tests/compiled is not built for this Python (door.pyx): run `make build-tests`" in done.stderr


def test_a_module_that_is_built_for_this_python_is_enough(copy: Path) -> None:
    (copy / f"door{EXTENSION_SUFFIXES[0]}").write_text("")
    assert imported(copy.parent).returncode == 0


def test_a_build_that_is_to_be_installed_has_no_doors() -> None:
    names = {path.stem for path in FOLDER.glob("*.pyx")}
    assert names
    code = (
        "import os, sys, runpy; os.environ['ATLAS_TEST_BUILD'] = '1'\n"
        "build = runpy.run_path('setup.py', run_name='setup')['BuildCompiled']\n"
        "from setuptools import Distribution, Extension\n"
        "for inplace in (0, 1):\n"
        "    distribution = Distribution({'ext_modules': [Extension('a', ['a.c'])]})\n"
        "    command = build(distribution); command.inplace = inplace; command.finalize_options()\n"
        "    print(sorted(each.name for each in command.extensions))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=FOLDER.parents[1], capture_output=True, text=True, check=True
    )
    installed, in_place = done.stdout.splitlines()
    assert installed == "['a']"
    assert in_place == str(sorted(["a", *(f"tests.compiled.{name}" for name in names)]))
