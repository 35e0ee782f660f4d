"""Runs the test suite of Jinja2 with the environment of Atlas in place of its own.

The suite is that of the release that is installed: pip downloads its sdist. Tests that are not passed are listed here,
each with its reason; one that is listed and passes is a failure.
"""

import sys
import tarfile
from importlib.metadata import version
from pathlib import Path
from subprocess import run

import jinja2
import jinja2.environment
import pytest

from atlas.templates import Environment, Template

FOLDER = Path(__file__).parent.parent / "build" / "jinja-suite"

EXCEPTIONS = {
    "test_ext.py::TestNewstyleInternationalization::test_num_called_num": "it looks for text in the generated code",
}


class Marks:
    """A plugin of pytest that marks the exceptions."""

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            reason = EXCEPTIONS.get(item.nodeid.rpartition("/")[2])
            if reason is not None:
                item.add_marker(pytest.mark.xfail(reason=reason, strict=True))


def tests() -> Path:
    """The folder of the tests, downloaded if it is not there yet."""
    name = f"jinja2-{version('jinja2')}"
    folder = FOLDER / name / "tests"
    if not folder.is_dir():
        FOLDER.mkdir(parents=True, exist_ok=True)
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "download", "--no-deps"]
        run([*pip, "--no-binary", "jinja2", "--dest", FOLDER, name.replace("-", "==")], check=True)
        with tarfile.open(FOLDER / f"{name}.tar.gz") as archive:
            members = [each for each in archive.getmembers() if each.name.startswith(f"{name}/tests/")]
            archive.extractall(FOLDER, members, filter="data")
    return folder


def main() -> int:
    folder = tests()
    jinja2.Environment = jinja2.environment.Environment = Environment
    jinja2.Template = Template
    options = ["-q", "-ra", "-p", "no:cacheprovider", "-c", "/dev/null", "--rootdir", str(folder)]
    return pytest.main([*options, str(folder), *sys.argv[1:]], [Marks()])


if __name__ == "__main__":
    sys.exit(main())
