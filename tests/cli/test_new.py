import subprocess
import sys
from pathlib import Path

import pytest

from atlas.cli.new import write_starter
from atlas.errors import StartupError
from tests.cli.conftest import Run

ROOT = Path(__file__).parents[2]


def test_it_says_what_it_wrote(project: Path, run: Run) -> None:
    status, out, err = run("new", "my-site")
    assert (status, err) == (0, "")
    for name in ("main.py", "templates/layout.html", "static/site.css", "tests/test_site.py", ".gitignore"):
        assert f"  {name}\n" in out
        assert (project / "my-site" / name).is_file()
    assert "cd my-site" in out


def test_names_are_filled_in(tmp_path: Path) -> None:
    write_starter(tmp_path / "My_deep-lake")
    texts = {path: path.read_text() for path in (tmp_path / "My_deep-lake").rglob("*") if path.is_file()}
    assert not [path for path, text in texts.items() if "@NAME@" in text or "@TITLE@" in text]
    assert 'name = "my-deep-lake"' in texts[tmp_path / "My_deep-lake" / "pyproject.toml"]
    assert "My Deep Lake" in texts[tmp_path / "My_deep-lake" / "templates" / "layout.html"]


def test_its_own_tests_and_checks_pass(tmp_path: Path) -> None:
    folder = tmp_path / "site"
    write_starter(folder)
    environ = {"PYTHONPATH": str(ROOT), "PATH": ""}
    for command in (["pytest", "-q", "-p", "no:cacheprovider"], ["atlas", "check"], ["atlas", "routes"]):
        done = subprocess.run(
            [sys.executable, "-m", *command], cwd=folder, env=environ, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_nothing_is_written_over(project: Path, run: Run) -> None:
    (project / "site").mkdir()
    (project / "site" / "mine.txt").write_text("mine")
    status, out, err = run("new", "site")
    assert (status, out) == (1, "")
    assert err == "Error: 'site' exists already, and no file is overwritten: choose another name\n"
    assert [path.name for path in (project / "site").iterdir()] == ["mine.txt"]


def test_an_empty_folder_will_do(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    assert "main.py" in write_starter(tmp_path / "site")


@pytest.mark.parametrize("name", ["5", "a b", "class", "..", "-x"])
def test_a_name_that_will_not_do(tmp_path: Path, name: str) -> None:
    with pytest.raises(StartupError, match="is not a valid name"):
        write_starter(tmp_path / name)


def test_a_folder_has_to_be_somewhere(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match="there is no directory"):
        write_starter(tmp_path / "nowhere" / "site")
